"""Whatever a request looks like, compiled and Python come to the same: told by what the app sees, what is sent, what is
raised, and what is left."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, Bearer, Header, Query, Quota, Rate, Slots, Subprotocol
from gatepost.asgi.current import serving
from gatepost.base.record import _set_until, _set_usable_until
from gatepost.compiled import compiled
from tests.compiled.conftest import receive
from tests.frameworks.connection import ask, bearer, http_scope

SECRETS = (
    "usable",
    "limited",
    "refused",
    "slots",
    "temporary",
    "temporary, for a page",
    "temporary, of a limited key",
    "expired",
    "deactivated",
    "other project",
    "unknown",
    "malformed",
    "long",
    "empty",
)

names = st.sampled_from([b"x-api-key", b"authorization", b"host", b"X-API-Key", b"x-api-kex", b"x-other", b""])
prefixes = st.sampled_from([b"", b"Bearer ", b"bearer ", b"Bearer", b"  Bearer ", b"Digest ", b" ", b"\t", b"x"])
suffixes = st.sampled_from([b"", b" ", b"\t ", b"x", b" " * 2000])
lines = st.lists(
    st.tuples(names, prefixes, st.sampled_from(SECRETS), suffixes, st.sampled_from(["tuple", "list"])), max_size=4
)
messages = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["http.response.start", "http.response.body", "http.response.trailers"])},
        optional={
            "more_body": st.sampled_from([True, False, 0, 1, None]),
            "headers": st.lists(
                st.sampled_from(
                    [
                        (b"content-length", b"1"),
                        (b"content-type", b"text/event-stream; charset=utf-8"),
                        (b"Content-Type", b"text/html"),
                    ]
                ),
                max_size=2,
            ),
        },
    ),
    max_size=3,
)
options = st.fixed_dictionaries(
    {},
    optional={
        "sources": st.sampled_from(
            [[Bearer()], [Header("X-Other"), Bearer()], [Header("X-API-Key"), Query("key")], [Bearer(), Subprotocol()]]
        ),
        "strip": st.booleans(),
        "optional": st.booleans(),
        "user": st.booleans(),
        "end_connections": st.booleans(),
        "end_uploads": st.booleans(),
        "project": st.sampled_from([None, "acme"]),
        "exempt": st.sampled_from([[], ["/"], ["/open"]]),
        "fresh": st.sampled_from([[], ["/"], ["/open"]]),
    },
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["http", str(b"http", "ascii"), "websocket", "lifespans"]),
        "user": st.just("forged"),
        "permissions": st.just(frozenset({"ALL"})),
        "api_key": st.just("forged"),
        "path": st.sampled_from(["/", "/open"]),
        "query_string": st.sampled_from([b"", b"key=1"]),
    },
)
clocks = st.sampled_from(["the system's", "its own", "past the lease", "past the record"])
ends = st.sampled_from(["returns", "raises", "is cancelled", "is nested"])


class Ring:
    """Open keys and secrets of every kind, all in memory."""

    def __init__(self, keys: APIKeys, secrets: dict[str, bytes]) -> None:
        self.keys, self.secrets = keys, secrets
        opened = keys._opened()
        self._now, self._until = opened.lookup._clock, opened.freshness.until
        self.records = dict(opened.lookup._memory.records)
        self.temporary = dict(opened.lookup.temporary)
        self.absent = dict(opened.lookup._memory.absent)
        limiter = opened.limiter
        now = limiter._leases._now()
        limiter._leases._now = limiter._rates._clock = lambda: now  # it is told in seconds
        limiter._rates._back = {name: int(limiter._rates._clock() * 1e6 + 3e9) for name in limiter._rates._back}
        self.back = dict(limiter._rates._back)

    def put_back(self, clock: str) -> None:
        """Memory as it was, under that clock."""
        opened = self.keys._opened()
        opened.lookup._memory.clear()
        opened.lookup._memory.records.update(self.records)
        opened.lookup._memory.absent.update(self.absent)
        opened.lookup.temporary.clear()
        opened.lookup.temporary.update(self.temporary)
        opened.freshness.until = 0.0 if clock == "past the lease" else float("inf")
        limiter = opened.limiter
        for lease in limiter._leases._leases.values():
            lease.left = 100
        limiter._rates._back = dict(self.back)
        for record in (*self.records.values(), *self.temporary.values()):
            _set_until(record, 0.0 if clock == "past the record" else float("inf"))
        opened.lookup._clock = self._now if clock == "the system's" else lambda: 12.5
        self.keys.hit = opened.lookup.fastest_hit()


@asynccontextmanager
async def ring() -> AsyncIterator[Ring]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'keys.db'}"
        async with APIKeys(url, poll_interval=300, max_staleness=600, foreign_secrets=True) as keys:
            await keys.serve()
            made = {name: await keys.create(name, ["OBJECTS_LIST"]) for name in ("usable", "expired")}
            made["deactivated"] = await keys.create("off", ["OBJECTS_LIST"])
            await keys.deactivate(made["deactivated"].key.id)
            made["other project"] = await keys.create("other", ["OBJECTS_LIST"], project="other")
            made["limited"] = await keys.create("limited", limits=[Quota(10**9, per="month")])
            made["slots"] = await keys.create("slots", limits=[Slots(1), Quota(10**9, per="month")])
            made["refused"] = await keys.create("refused", limits=[Rate(1, per=3600)])
            template = await keys.templates.create("template", ["OBJECTS_LIST"])
            page = await keys.templates.create("page", ["OBJECTS_LIST"], origins=["https://www.example.org"])
            lent = {
                "temporary": await keys.issue_temporary(template.id),
                "temporary, for a page": await keys.issue_temporary(page.id),
                "temporary, of a limited key": await keys.issue_temporary(made["limited"].key.id),
            }
            secrets = {name: issued.secret.encode() for name, issued in (made | lent).items()}
            secrets |= {"unknown": b"x" * 40, "malformed": b"\xff\x00", "long": b"y" * 1500, "empty": b""}
            for issued in made.values():
                await keys.verify(issued.secret)
                if issued.key.limits:
                    await ask(APIKeyMiddleware(well, keys), http_scope("/", bearer(issued.secret)))
            for temporary in lent.values():
                await ask(APIKeyMiddleware(well, keys), http_scope("/", bearer(temporary.secret)))
            for record in keys._opened().lookup._memory.records.values():
                if record.id == made["expired"].key.id:
                    _set_usable_until(record, 0.0)
            yield Ring(keys, secrets)


async def well(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def outcome(ring: Ring, request: dict[str, Any], clock: str, end: str, told: list[Message], **given: Any) -> Any:
    """All that can be seen of a request."""
    seen: list[Any] = []
    sent: list[Message] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        served = serving()
        seen.append((dict(scope), None if not served else ([*served][:3], served[0] is scope)))
        for message in told:
            await send(dict(message))
            seen.append(served[3] is None if served else None)
        if end == "raises":
            raise ZeroDivisionError
        if end == "is cancelled":
            raise asyncio.CancelledError
        if end == "is nested" and len(seen) < 9:
            await middleware({**scope, "headers": request["headers"]}, receive, send)
            seen.append(serving() is served)

    async def send(message: Message) -> None:
        sent.append(message)

    ring.put_back(clock)
    middleware = APIKeyMiddleware(app, ring.keys, **given)
    scope = {**request, "headers": [*request["headers"]]}
    raised: Any = None
    try:
        await middleware(scope, receive, send)
    except (Exception, asyncio.CancelledError) as failure:  # noqa: BLE001 - whatever it is, it must be the same
        raised = (type(failure), str(failure), failure.__context__ is None)
    left = serving()
    judged = [entry if not isinstance(entry, tuple) else _without_middleware(entry) for entry in seen]
    return judged, sent, raised, _plain(scope), None if left is None else len(left)


def _without_middleware(entry: Any) -> Any:
    scope, served = entry
    return _plain(scope), None if served is None else (_plain(served[0][0]), served[0][2], served[1])


def _plain(scope: Any) -> Any:
    """What can be compared: records are read anew now and then, and users of one scope alone made anew."""
    told = {"user", "auth", "api_key", "limits"}
    return [
        (name, re.sub(" at 0x[0-9a-f]+", "", repr(value)) if name in told else value) for name, value in scope.items()
    ]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def keyring(loop: asyncio.Runner) -> Iterator[Ring]:
    if not compiled.is_built():
        pytest.skip("memory hits are not compiled here: no compiler, or GATEPOST_PURE is set")
    manager = ring()
    yield loop.run(manager.__aenter__())
    loop.run(manager.__aexit__(None, None, None))


@given(st.tuples(lines, entries, options, clocks, ends, messages))
@example(([(b"x-api-key", b"", "usable", b"", "tuple")], {}, {}, "the system's", "returns", []))
@example(([(b"authorization", b"Bearer ", "usable", b"", "list")], {"user": "x"}, {}, "its own", "is nested", []))
@example(([(b"x-api-key", b"", "usable", b"", "tuple")], {}, {"strip": False}, "past the lease", "raises", []))
@example(
    (
        [(b"x-api-key", b"", "limited", b"", "tuple")],
        {},
        {},
        "the system's",
        "is nested",
        [{"type": "http.response.start"}],
    )
)
@example(([(b"x-api-key", b"", "slots", b"", "tuple")], {}, {}, "its own", "raises", []))
@example(([(b"x-api-key", b"", "temporary", b"", "tuple")], {}, {}, "the system's", "returns", []))
@example(([(b"x-api-key", b"", "temporary", b"", "tuple")], {}, {}, "past the record", "is nested", []))
@example(([(b"x-api-key", b"", "temporary, for a page", b"", "tuple")], {}, {}, "the system's", "returns", []))
@example(([(b"x-api-key", b"", "refused", b"", "list")], {}, {"strip": False}, "the system's", "returns", []))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_compiled_and_python_come_to_the_same(loop: asyncio.Runner, keyring: Ring, case: tuple[Any, ...]) -> None:
    carried, more, chosen, clock, end, told = case
    headers: list[Any] = [(b"host", b"testserver")]
    for name, prefix, which, suffix, kind in carried:
        line = (name, prefix + keyring.secrets[which] + suffix)
        headers.append([*line] if kind == "list" else line)
    request = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers} | more
    if request["type"] == "websocket":
        told = []

    async def both() -> list[Any]:
        came_to = []
        for module in (hit, None):
            compiled._hit = module
            task = asyncio.create_task(outcome(keyring, request, clock, end, told, **chosen))
            came_to.append(await task)
        return came_to

    hit = compiled._hit
    try:
        first, second = loop.run(both())
    finally:
        compiled._hit = hit
    assert first == second
