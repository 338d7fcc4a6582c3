"""A memory hit of a key that has bounds, compiled and in Python: it is let in from where it was let in before, and all
else is asked about."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import pytest

from gatepost import APIKeys
from gatepost.base import BoundedRecord
from gatepost.base.record import _set_ends_at, _set_until
from tests.compiled.conftest import Gate

INSIDE, OUTSIDE = ("203.0.113.9", 5000), ("198.51.100.7", 5000)


@pytest.fixture
async def bounded(either_way: str, ready_sqlite_url: str) -> AsyncIterator[Gate]:
    """A key that memory holds, and the addresses that were asked about before: one inside its list, one outside."""
    async with APIKeys(ready_sqlite_url, poll_interval=30, max_staleness=60) as keys:
        await keys.serve()
        issued = await keys.create("a key", ["OBJECTS_LIST"], allow=["203.0.113.0/24"])
        for host, _ in (INSIDE, OUTSIDE):
            await keys.verify(issued.secret, address=host)
        yield Gate(keys, issued.secret.encode())


async def test_it_is_a_hit_that_the_app_is_told_of_as_of_any(bounded: Gate) -> None:
    scope = bounded.scope(client=INSIDE)
    served = await bounded.serve(scope)
    assert served.is_hit
    assert served.status == 204
    assert type(bounded.record) is BoundedRecord
    assert scope["api_key"] is scope["user"] is bounded.record
    assert scope["permissions"] is bounded.record.permissions
    assert scope["auth"] is bounded.record.auth
    assert scope["headers"] == [(b"host", b"testserver"), (b"accept", b"*/*")]


@pytest.mark.parametrize(
    "client", [OUTSIDE, None, (), ("",), ("unknown", 1), (None, 0), ["198.51.100.7", 1], ("198.51.100.8", 1)]
)
async def test_elsewhere_it_is_refused(bounded: Gate, client: Any) -> None:
    for _ in range(2):
        assert (await bounded.serve(bounded.scope(client=client))).status == 403
    assert (await bounded.serve(bounded.scope())).status == 403, "there is no client in the scope"


@pytest.mark.parametrize("client", [("203.0.113.77", 1), ["203.0.113.9", 1], ("::ffff:203.0.113.9", 1, 0, 0)])
async def test_another_address_inside_is_a_hit_too(bounded: Gate, client: Any) -> None:
    for _ in range(2):
        assert (await bounded.serve(bounded.scope(client=client))).is_hit


async def test_compiled_it_is_let_in_without_python(
    bounded: Gate, either_way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded.keys, "bounded_hit", None)
    with nullcontext() if either_way == "compiled" else pytest.raises(TypeError, match="not callable"):
        assert (await bounded.serve(bounded.scope(client=INSIDE))).is_hit


async def test_a_lease_that_has_ended_lets_nobody_in(bounded: Gate) -> None:
    bounded.keys._opened().freshness.until = bounded.keys._opened().freshness._clock()
    assert (await bounded.serve(bounded.scope(client=INSIDE))).asked


async def test_a_record_whose_time_in_memory_is_over_lets_nobody_in(bounded: Gate) -> None:
    _set_until(bounded.record, bounded.keys._opened().freshness._clock())
    assert (await bounded.serve(bounded.scope(client=INSIDE))).asked


async def test_a_record_that_has_ended_lets_nobody_in(bounded: Gate) -> None:
    _set_ends_at(bounded.record, bounded.keys._opened().freshness.database_now())
    served = await bounded.serve(bounded.scope(client=INSIDE))
    assert (served.asked, served.status) == (1, 401)


async def test_the_peer_is_not_who_is_judged_where_proxies_are_trusted(bounded: Gate) -> None:
    lines = ((b"x-api-key", bounded.secret), (b"x-forwarded-for", b"198.51.100.7"))
    proxied: dict[str, Any] = {"trusted_proxies": ["203.0.113.9"]}
    assert (await bounded.serve(bounded.scope(*lines, client=INSIDE), **proxied)).status == 403
    lines = ((b"x-api-key", bounded.secret), (b"x-forwarded-for", b"203.0.113.10"))
    assert (await bounded.serve(bounded.scope(*lines, client=INSIDE), **proxied)).is_hit
