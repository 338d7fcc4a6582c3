"""What is told that is no change of a key: expiries, limits, sign-ins. Each once."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import orjson
import pytest
from sqlalchemy import select, update

from gatepost import APIKeys, Outcome, UnavailableError
from gatepost.admin import Admin
from gatepost.database import Deliveries, Wanted
from gatepost.database.schema import database_now, deliverer, outbox
from gatepost.webhooks import Webhooks
from tests.servers.receiver import Receiver, receiving
from tests.webhooks.conftest import arrived, delivering, target, verified

DAY = 86_400.0
EVERYTHING = Wanted(expiring_days=(30, 14, 7, 1), expired=True, limits=True)
HOLDER = "a" * 32
PAGE = "http://page"


class Sweeping:
    """Sweeps as the deliverer does, while the test says how much time has gone by."""

    def __init__(self, keys: APIKeys) -> None:
        self._keys = keys
        self.tables: Deliveries = keys.deliveries

    async def sweep(self, wanted: Wanted = EVERYTHING) -> list[tuple[str, str, Any]]:
        """What a sweep noted: type, key and data."""
        assert await self.tables.take_lease(HOLDER, 30)
        before = {row.id for row in await self._rows()}
        await self.tables.sweep(HOLDER, 30, wanted)
        new = [row for row in await self._rows() if row.id not in before]
        return sorted((row.type, row.key_id, orjson.loads(row.data)) for row in new)

    async def _rows(self) -> list[Any]:
        async with self._keys._database._reading("a test") as connection:
            return list((await connection.execute(outbox.select())).all())

    async def go_back(self, days: float) -> None:
        """As if the last sweep had been so many days ago."""
        async with self._keys._database._writing("a test") as connection:
            await connection.execute(update(deliverer).values(swept_at=deliverer.c.swept_at - days * DAY))
            await connection.commit()


@pytest.fixture
async def sweeping(ready_url: str) -> Any:
    """Open keys in a fresh database, and what sweeps them."""
    async with APIKeys(ready_url) as keys:
        yield keys, Sweeping(keys)


async def made_long_ago(keys: APIKeys, days: float, **more: Any) -> str:
    """A key that ends in so many days, made a year before."""
    from gatepost.database.schema import keys as table  # noqa: PLC0415

    ends = datetime.now(UTC) + timedelta(days=days)
    key = (await keys.create("a key", expires_at=ends, **more)).key
    async with keys._database._writing("a test") as connection:
        made = update(table).where(table.c.id == key.id)
        await connection.execute(made.values(created_at=ends - timedelta(days=365)))
        await connection.commit()
    return key.id


async def test_a_key_is_told_of_30_14_7_and_1_day_before_its_end_and_once_each(sweeping: Any) -> None:
    keys, sweeps = sweeping
    assert await sweeps.sweep() == []
    ids = {days: await made_long_ago(keys, days) for days in (29.99, 13.99, 6.99, 0.99, 20, 40)}
    off = await made_long_ago(keys, 6.99)
    await keys.deactivate(off)
    await sweeps.go_back(0.1)
    told = await sweeps.sweep()
    assert sorted((key_id, data["days"]) for _, key_id, data in told) == sorted(
        [(ids[29.99], 30), (ids[13.99], 14), (ids[6.99], 7), (ids[0.99], 1)]
    )
    assert {kind for kind, _, _ in told} == {"key.expiring"}
    await sweeps.go_back(0.1)  # as another who does not know what was told
    assert await sweeps.sweep() == []


async def test_after_a_long_silence_a_key_is_told_of_once_with_what_is_true_now(sweeping: Any) -> None:
    keys, sweeps = sweeping
    await sweeps.sweep()
    key_id = await made_long_ago(keys, 5)
    await sweeps.go_back(60)
    assert [(each, data["days"]) for _, each, data in await sweeps.sweep()] == [(key_id, 7)]


async def test_a_key_that_was_made_for_a_day_is_not_told_of_a_month_before(sweeping: Any) -> None:
    keys, sweeps = sweeping
    await sweeps.sweep()
    await keys.create("short", expires_at=datetime.now(UTC) + timedelta(days=0.99))
    await sweeps.go_back(1)
    assert await sweeps.sweep() == []


async def test_what_was_never_swept_tells_nothing_of_the_past(sweeping: Any) -> None:
    keys, sweeps = sweeping
    await made_long_ago(keys, 6.99)
    assert await sweeps.sweep() == []


async def test_a_key_that_has_expired_is_told_of_once(sweeping: Any) -> None:
    keys, sweeps = sweeping
    await sweeps.sweep()
    soon = datetime.now(UTC) + timedelta(seconds=1)
    issued = await keys.create("a key", expires_at=soon, project="acme")
    while (await keys.verify(issued.secret)).outcome is not Outcome.EXPIRED:  # noqa: ASYNC110 - the database's clock
        await asyncio.sleep(0.05)
    told = await sweeps.sweep()
    assert [(kind, key_id) for kind, key_id, _ in told] == [("key.expired", issued.key.id)]
    await sweeps.go_back(1)
    assert await sweeps.sweep() == []


async def test_a_key_that_is_refused_by_a_limit_is_told_of_once_a_day(sweeping: Any) -> None:
    keys, sweeps = sweeping
    issued, other = await keys.create("a key", project="acme"), await keys.create("another")
    for _ in range(2):
        for key, outcome in ((issued, Outcome.LIMIT_EXCEEDED), (other, Outcome.VALID)):
            keys.uses.count(outcome, key.key.id, bytes(32), keys.uses.clock(), "/a", ("192.0.2.1", 1))
        await keys.flush_usage()
        told = await sweeps.sweep()
        expected = [("limit.reached", issued.key.id)] if _ == 0 else []
        assert [(kind, key_id) for kind, key_id, _data in told] == expected


async def test_who_has_lost_the_lease_notes_nothing_twice(sweeping: Any) -> None:
    keys, sweeps = sweeping
    await sweeps.sweep()
    await made_long_ago(keys, 6.99)
    await sweeps.go_back(0.1)
    assert not await sweeps.tables.take_lease("b" * 32, 30)
    with pytest.raises(Exception, match="Another process"):
        await sweeps.tables.sweep("b" * 32, 30, EVERYTHING)
    assert len(await sweeps.sweep()) == 1


async def test_expiries_arrive_as_messages(keys: APIKeys) -> None:
    sweeps = Sweeping(keys)
    await sweeps.sweep()
    key_id = await made_long_ago(keys, 6.99, project="acme")
    await sweeps.go_back(0.1)
    await sweeps.tables.give_up_lease(HOLDER)
    async with receiving() as receiver, delivering(keys, target(receiver)) as webhooks:
        await receiver.wait_for(1)
        await arrived(webhooks)
        told = verified(receiver.received[0])
    assert (told["type"], told["data"]["key_id"], told["data"]["project"]) == ("key.expiring", key_id, "acme")
    assert told["data"]["days"] == 7
    assert re.fullmatch(rf"expiring_{key_id}_\d+_7", receiver.received[0].headers["webhook-id"])


async def signed_in(keys: APIKeys, secret: str, admin: Admin) -> int:
    """Sign in to the page as a browser would; the status."""
    transport = httpx2.ASGITransport(app=admin)
    async with httpx2.AsyncClient(transport=transport, base_url=PAGE) as client:
        page = await client.get("/")
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        field = re.search(r'<input[^>]*type="password"[^>]*name="([^"]+)"', page.text)
        name = re.search(r'name="([^"]+)"[^>]*type="password"', page.text)
        assert token is not None
        found = field or name
        assert found is not None
        form = {"csrf_token": token[1], found[1]: secret}
        return (await client.post("/sign-in", data=form)).status_code


async def test_a_sign_in_is_told_and_a_failed_one_is_not(keys: APIKeys) -> None:
    issued = await keys.create("a key", ["ACCESS_READ"])
    receiver: Receiver
    async with receiving() as receiver, delivering(keys, target(receiver, types=["sign_in"])) as webhooks:
        admin = Admin(keys, on_sign_in=webhooks.signed_in)
        assert await signed_in(keys, issued.secret + "x", admin) == 401
        assert await signed_in(keys, issued.secret, admin) == 303
        await receiver.wait_for(1)
        await arrived(webhooks)
        told = [verified(each) for each in receiver.received]
    assert [(each["type"], each["data"]["key_id"]) for each in told] == [("sign_in", issued.key.id)]
    assert issued.secret.encode() not in receiver.received[0].body


async def test_what_is_noted_has_the_moment_of_the_databases_clock(sweeping: Any) -> None:
    keys, sweeps = sweeping

    async def now() -> float:
        async with keys._database._reading("a test") as connection:
            return float((await connection.execute(select(database_now()))).scalar_one())

    before = await now()
    await sweeps.tables.note("sign_in", "4fT0aK9sQ2Lm", "acme")
    (row,) = await sweeps._rows()
    assert before - 0.01 <= row.at.timestamp() <= await now()  # SQLite's has milliseconds
    assert (row.type, row.key_id, row.project, row.moved) == ("sign_in", "4fT0aK9sQ2Lm", "acme", False)


async def test_nobody_is_kept_out_where_a_sign_in_cannot_be_told(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    issued = await keys.create("a key", ["ACCESS_READ"])

    async def fail(*_arguments: object) -> None:
        raise UnavailableError("down")

    async def fail_otherwise(_key: object) -> None:
        raise ValueError

    monkeypatch.setattr(Deliveries, "note", fail)
    async with receiving() as receiver:
        webhooks = Webhooks(keys, [target(receiver)])
        assert await signed_in(keys, issued.secret, Admin(keys, on_sign_in=webhooks.signed_in)) == 303
        assert await signed_in(keys, issued.secret, Admin(keys, on_sign_in=fail_otherwise)) == 303
    assert caplog.text.count(issued.key.id) == 2
    assert issued.secret not in caplog.text
