"""The chain over the audit log: whatever is altered in it, taken out of it or put into it is found."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import event

from gatepost import AccessDeniedError, Actor, APIKeys, BadInputError
from gatepost.base.trail import Links
from gatepost.database.chain import sealing
from gatepost.keys.parts.sealing import Sealing
from tests.retention.conftest import ByHand, eventually, told


async def make_past(keys: APIKeys) -> str:
    """Changes 1 to 7, sealed; answers the key of change 3. Change 6 has two lines."""
    await keys.create("first", owner="ann")
    await keys.create("second", project="acme")
    key_id = (await keys.create("third", ["FILE_UPLOAD"])).key.id
    await keys.deactivate(key_id)
    await keys.update(key_id, description="another")
    await keys.rotate(key_id, grace=60)
    await keys.activate(key_id)
    await keys.audit_log.seal()
    return key_id


async def test_a_log_with_everything_in_it_is_whole(keys: APIKeys, by_hand: ByHand) -> None:
    key_id = await make_past(keys)
    await asyncio.gather(*(keys.create(f"at once {number}") for number in range(20)))
    await keys.deactivate([key.id for key in (await keys.list()).items])
    await by_hand("UPDATE gatepost_keys SET description = 'by hand' WHERE id = :id", id=key_id)
    await by_hand("DELETE FROM gatepost_secrets WHERE key_id = :id", id=key_id)
    await keys.invalidate()
    await keys.create("after it")
    before = await keys.audit_log.verify()
    assert (before.is_whole, before.last, before.changes) == (True, 7, 8)
    assert before.unsealed == 20 + 1 + 1 + 1 + 1 + 1 + (1 if before.unsealed == 26 else 0)
    await keys.audit_log.seal()
    check = await keys.audit_log.verify()
    assert (check.is_whole, check.unsealed, check.first) == (True, 0, 0)
    assert check.changes == before.changes + before.unsealed
    assert check.last == (await keys.events(limit=1)).items[0].seq
    assert check.lines > check.changes


async def test_a_change_of_many_lines_is_sealed_whole_whatever_a_page_holds(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "PAGE", 3)
    ids = [(await keys.create(f"{number}")).key.id for number in range(8)]
    await keys.deactivate(ids)
    await keys.activate(ids[:3])
    chain, links = keys._database.chain, keys._opened().sealing.links
    sizes = []
    while (size := await chain.seal(links, 2)) > 0:
        sizes.append(size)
    assert sum(sizes) == 11
    check = await keys.audit_log.verify()
    assert (check.is_whole, check.changes, check.lines, check.unsealed) == (True, 11, 9 + 8 + 3, 0)


VALUES: dict[str, Any] = {
    "nonce": "nonce + 1",
    "digest": "NULL",
    "key_id": "'000000000000'",
    "kind": "'updated'",
    "actor": "'somebody'",
    "at": "'2020-01-01 00:00:00'",
    "detail": "'{}'",
    "project": "'other'",
    "address": "'192.0.2.1'",
    "actor_kind": "'person'",
    "actor_id": "'17'",
    "owner": "'bob'",
    "environment": "'live'",
}


@pytest.mark.parametrize("column", [*VALUES, "n"])
async def test_no_column_of_a_line_can_be_altered_unseen(sqlite_keys: APIKeys, by_hand: ByHand, column: str) -> None:
    await make_past(sqlite_keys)
    value = VALUES.get(column, "n + 5")
    await by_hand(f"UPDATE gatepost_events SET {column} = {value} WHERE seq = 4")
    check = await sqlite_keys.audit_log.verify()
    assert told(check) == [("altered", 4, 4)]
    assert not check.is_whole
    assert str(check.flaws[0]).startswith("change 4 was not as sealed")


TAMPERED: dict[str, tuple[Sequence[str], list[tuple[str, int, int]]]] = {
    "altered": (["UPDATE gatepost_events SET actor = 'x' WHERE seq = 2"], [("altered", 2, 2)]),
    "a line taken out of a change": (["DELETE FROM gatepost_events WHERE seq = 6 AND n = 1"], [("altered", 6, 6)]),
    "a change taken out": (["DELETE FROM gatepost_events WHERE seq = 5"], [("missing", 5, 5)]),
    "two changes taken out, with their links": (
        [f"DELETE FROM {table} WHERE seq IN (4, 5)" for table in ("gatepost_events", "gatepost_chain")],
        [("missing", 4, 5)],
    ),
    "the first ones taken out, with their links": (
        [f"DELETE FROM {table} WHERE seq < 3" for table in ("gatepost_events", "gatepost_chain")],
        [("missing", 0, 2)],
    ),
    "a link taken out": (["DELETE FROM gatepost_chain WHERE seq = 3"], [("added", 3, 3), ("missing", 3, 3)]),
    "a line put in": (
        [
            """INSERT INTO gatepost_events (seq, n, nonce, kind, at)
            SELECT seq, 1, nonce, 'updated', at FROM gatepost_events WHERE seq = 4 AND n = 0"""
        ],
        [("altered", 4, 4)],
    ),
    "a pair swapped": (
        [
            f"UPDATE gatepost_events SET seq = {after} WHERE seq = {before}"
            for before, after in ((4, -4), (5, 4), (-4, 5))
        ],
        [("altered", 4, 4), ("altered", 5, 5)],
    ),
    "a pair swapped, with its links": (
        [
            f"UPDATE {table} SET seq = {after} WHERE seq = {before}"
            for table in ("gatepost_events", "gatepost_chain")
            for before, after in ((4, -4), (5, 4), (-4, 5))
        ],
        [("altered", 4, 4), ("altered", 5, 5), ("altered", 6, 6)],
    ),
    "the end taken out": (
        [f"DELETE FROM {table} WHERE seq > 5" for table in ("gatepost_events", "gatepost_chain")],
        [("missing", 6, 7)],
    ),
    "the newest put elsewhere": (
        ["DELETE FROM gatepost_chain WHERE seq = 7", "UPDATE gatepost_events SET nonce = 5 WHERE seq = 7"],
        [("altered", 7, 7)],
    ),
    "the place of pruning moved": (
        [
            "UPDATE gatepost_chain_anchor SET seq = 4, hash = (SELECT hash FROM gatepost_chain WHERE seq = 4)",
            "DELETE FROM gatepost_events WHERE seq <= 4",
            "DELETE FROM gatepost_chain WHERE seq <= 4",
        ],
        [("anchor", 4, 4)],
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_what_was_done_to_the_log_is_told(keys: APIKeys, by_hand: ByHand, what: str) -> None:
    await make_past(keys)
    statements, flaws = TAMPERED[what]
    await by_hand(*statements)
    assert told(await keys.audit_log.verify()) == flaws


async def test_a_change_put_in_where_a_number_was_left_out_is_told(keys: APIKeys, by_hand: ByHand) -> None:
    await make_past(keys)
    await keys.invalidate()
    await keys.audit_log.seal()
    await by_hand(
        "INSERT INTO gatepost_events (seq, n, nonce, kind, at)"
        " SELECT 8, 0, 1, 'updated', at FROM gatepost_events WHERE seq = 4 AND n = 0"
    )
    assert told(await keys.audit_log.verify()) == [("added", 8, 8)]


async def test_an_altered_line_is_not_sealed_again_by_whoever_has_no_server_key(
    sqlite_keys: APIKeys, by_hand: ByHand
) -> None:
    await make_past(sqlite_keys)
    chain = sqlite_keys._database.chain
    foreign = Links([bytes(32)])
    await by_hand("UPDATE gatepost_events SET actor = 'x' WHERE seq = 2", "DELETE FROM gatepost_chain WHERE seq >= 2")
    assert await chain.seal(foreign, 1000) == 6
    check = await sqlite_keys.audit_log.verify()
    assert (check.is_whole, check.unchecked, check.keys) == (False, 6, {foreign.name}), "a key that nobody has"
    own = sqlite_keys._opened().sealing.links.name
    await by_hand("UPDATE gatepost_chain SET sealed_by = :own", own=own)
    assert ("altered", 2, 2) in told(await sqlite_keys.audit_log.verify())


async def test_a_log_that_was_sealed_under_an_older_server_key_is_checked_while_that_is_among_them(
    ready_sqlite_url: str,
) -> None:
    old, new = bytes(range(32)), bytes(range(1, 33))
    async with APIKeys(ready_sqlite_url, server_keys=[old]) as keys:
        await make_past(keys)
    async with APIKeys(ready_sqlite_url, server_keys=[new, old]) as keys:
        await keys.create("a key")
        await keys.audit_log.seal()
        check = await keys.audit_log.verify()
        assert (check.is_whole, check.changes) == (True, 9)
    async with APIKeys(ready_sqlite_url, server_keys=[new]) as keys:
        check = await keys.audit_log.verify()
        assert (check.is_whole, check.unchecked, check.changes, check.flaws) == (False, 8, 1, [])


async def test_of_many_that_seal_at_once_each_change_is_sealed_by_one(keys: APIKeys) -> None:
    for number in range(30):
        await keys.create(f"{number}")
    chain, links = keys._database.chain, keys._opened().sealing.links

    async def seal_all() -> None:
        while await chain.sealed_to() < 30:
            await chain.seal(links, 4)

    await asyncio.gather(*(seal_all() for _ in range(4)))
    check = await keys.audit_log.verify()
    assert (check.is_whole, check.changes, check.unsealed) == (True, 31, 0)


async def test_a_worker_seals_what_it_knows_of_and_asks_for_nothing_without_news(sqlite_keys: APIKeys) -> None:
    await sqlite_keys.serve()
    opened = sqlite_keys._opened()
    await sqlite_keys.create("a key")
    await opened.sealing.look()
    check = await sqlite_keys.audit_log.verify()
    assert (check.is_whole, check.last, check.unsealed) == (True, 1, 0)
    await sqlite_keys.close()
    await opened.sealing.look()  # no news: the closed database is not asked


async def test_sealing_goes_on_after_an_outage_and_is_told_once(
    sqlite_keys: APIKeys, by_hand: ByHand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gatepost.keys.parts.sealing.PAUSE_SECONDS", (0.001, 0.002))
    await sqlite_keys.create("a key")
    opened = sqlite_keys._opened()
    await by_hand("ALTER TABLE gatepost_chain RENAME TO elsewhere")
    sealing = Sealing(opened.database.chain, opened.sealing.links, lambda: 1)
    sealing.begin()
    await eventually(lambda: "not sealed now" in caplog.text)
    await by_hand("ALTER TABLE elsewhere RENAME TO gatepost_chain")
    await eventually(lambda: sealing._sealed_to == 1)
    await sealing.close()
    assert caplog.text.count("not sealed now") == 1


async def test_no_change_and_no_request_makes_a_statement_for_the_chain(sqlite_keys: APIKeys) -> None:
    await sqlite_keys.serve()
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    engine = sqlite_keys._database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    issued = await sqlite_keys.create("a key")
    await sqlite_keys.verify(issued.secret)
    await sqlite_keys.deactivate(issued.key.id)
    await asyncio.gather(*(sqlite_keys.create("at once") for _ in range(5)))
    event.remove(engine, "before_cursor_execute", note)
    assert len(statements) > 10
    assert [statement for statement in statements if "gatepost_chain" in statement] == []


async def test_only_an_operator_may_export_verify_and_seal(sqlite_keys: APIKeys) -> None:
    ann = Actor("ann")
    for attempt in (
        sqlite_keys.audit_log.seal(actor=ann),
        sqlite_keys.audit_log.verify(actor=ann),
        sqlite_keys.audit_log.verify_export([], actor=ann),
        anext(sqlite_keys.audit_log.export(actor=ann)),
    ):
        with pytest.raises(AccessDeniedError, match="Only an operator"):
            await attempt
    for wrong in (-1, "1", True):
        with pytest.raises(BadInputError, match="first must be the number of a change"):
            await anext(sqlite_keys.audit_log.export(first=wrong))  # type: ignore[arg-type]
