"""A memory hit of a temporary secret, compiled and in Python: what is left of it counts only beside the very record
that it was worked out from."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import pytest

from gatepost import APIKeyMiddleware, APIKeys, Quota
from gatepost.base.record import _set_until
from gatepost.base.secret import digest
from gatepost.temporary import TemporaryRecord
from tests.compiled.conftest import Gate, keeps_nothing, receive
from tests.deaf import deafen


class Lent(Gate):
    """Open keys, with a temporary secret that was shown before, of a template that memory holds."""

    @property
    def left(self) -> TemporaryRecord:
        """What is left of it."""
        return self.keys._opened().lookup.temporary[digest(self.secret)]


@pytest.fixture
async def opened(either_way: str, ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    """Polls do not come before the test's end."""
    async with APIKeys(ready_sqlite_url, poll_interval=30, max_staleness=60) as keys:
        deafen(keys)
        await keys.serve()
        yield keys


async def lent(keys: APIKeys, **template: Any) -> Lent:
    """A temporary secret that was shown once."""
    made = await keys.templates.create("a widget", ["OBJECTS_LIST", "OBJECTS_FETCH"], **template)
    gate = Lent(keys, (await keys.issue_temporary(made.id, permissions=["OBJECTS_LIST"])).secret.encode())
    await gate.serve(gate.scope((b"origin", b"https://www.example.org"), (b"x-api-key", gate.secret)))
    return gate


async def test_the_app_is_told_what_is_left_of_it(opened: APIKeys) -> None:
    gate = await lent(opened)
    scope = gate.scope()
    served = await gate.serve(scope)
    assert served.is_hit
    assert served.status == 204
    assert scope["api_key"] is scope["user"] is gate.left
    assert scope["permissions"] is gate.left.permissions
    assert scope["permissions"] == {"OBJECTS_LIST"}
    assert scope["auth"] is gate.left.auth
    assert scope["headers"] == [(b"host", b"testserver"), (b"accept", b"*/*")]


async def test_compiled_it_is_let_in_without_python(
    opened: APIKeys, either_way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await lent(opened)
    monkeypatch.setattr(gate.keys, "temporary_hit", None)
    with nullcontext() if either_way == "compiled" else pytest.raises(TypeError, match="not callable"):
        assert (await gate.serve(gate.scope())).is_hit


async def test_it_is_known_and_counted_by_the_secret_that_it_was_made_from(opened: APIKeys) -> None:
    gate = await lent(opened)
    await gate.serve(gate.scope())
    assert opened.uses is not None
    counted = {place if isinstance(place, bytes) else place[0] for place in opened.uses.cells}
    assert gate.left.digest in counted
    assert digest(gate.secret) not in counted


async def test_beside_another_record_it_is_worked_out_anew(opened: APIKeys) -> None:
    gate = await lent(opened)
    records, before = opened._opened().lookup._memory.records, gate.left
    del records[before.digest]
    other = Lent(opened, (await opened.issue_temporary(before.id)).secret.encode())
    assert (await other.serve(other.scope())).status == 204
    assert records[before.digest] is not before.parent
    assert (await gate.serve(gate.scope())).status == 204
    assert gate.left is not before
    assert gate.left.parent is records[before.digest]


async def test_of_a_template_that_is_off_it_is_refused_and_let_in_when_that_is_on(opened: APIKeys) -> None:
    gate = await lent(opened)
    key_id = gate.left.id
    await opened.templates.deactivate(key_id)
    assert (await gate.serve(gate.scope())).status == 401
    await opened.templates.activate(key_id, wait="everywhere")
    assert (await gate.serve(gate.scope())).status == 204


async def test_of_a_page_it_is_for_python_to_ask_where_a_request_is_from(opened: APIKeys) -> None:
    gate = await lent(opened, origins=["https://www.example.org"])
    for origin, status in ((b"https://www.example.org", 204), (b"https://other.example.org", 403)):
        for _ in range(2):
            scope = gate.scope((b"origin", origin), (b"x-api-key", gate.secret))
            assert (await gate.serve(scope)).status == status


async def test_what_has_limits_is_taken_from_them(opened: APIKeys) -> None:
    gate = await lent(opened, limits=[Quota(2, per="month")])
    assert [(await gate.serve(gate.scope())).status for _ in range(3)] == [204, 429, 429]


async def test_a_lease_that_has_ended_lets_nobody_in(opened: APIKeys) -> None:
    gate = await lent(opened)
    opened._opened().freshness.until = opened._opened().freshness._clock()
    assert (await gate.serve(gate.scope())).asked


async def test_a_record_whose_time_in_memory_is_over_lets_nobody_in(opened: APIKeys) -> None:
    gate = await lent(opened)
    for record in (gate.left, gate.left.parent):
        _set_until(record, opened._opened().freshness._clock())
    assert (await gate.serve(gate.scope())).asked


async def test_it_ends_by_itself(opened: APIKeys) -> None:
    gate = await lent(opened)
    opened._opened().freshness.offset += gate.left.ends_at - opened._opened().freshness.database_now()
    assert (await gate.serve(gate.scope())).status == 401


async def test_nothing_is_left_of_requests(opened: APIKeys) -> None:
    gate = await lent(opened)
    app = APIKeyMiddleware(gate.app, opened)

    async def send(_message: Any) -> None: ...

    async def one() -> None:
        gate.seen.clear()
        await app(gate.scope(), receive, send)

    await keeps_nothing(one, [gate.left, gate.left.parent, gate.left.digest])
