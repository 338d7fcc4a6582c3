"""Pruning: what is old goes, what somebody needs stays, and the chain goes on."""

import asyncio
import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from gatepost import AccessDeniedError, Actor, APIKeys, BadInputError, IdempotencyError, KeyNotFoundError
from gatepost.base.trail import BEHIND, Hold, Link, PrunedLog, hold_of_worker, prunable_to
from gatepost.database.chain import pruning
from gatepost.database.chain.reading import ChainReader
from gatepost.database.schema import events, targets, workers
from tests.retention.conftest import ByHand, long_ago, make_old, told

ONCE = "0123456789abcdef"
"""An idempotency key."""


async def make_past(keys: APIKeys) -> tuple[str, str]:
    """Changes 1 to 6, of long ago, and 7, of now; answers the keys of changes 1 and 2, of which the first is deleted.
    The second was made by the first."""
    made = (await keys.create("first", ["ACCESS_READ", "ACCESS_MANAGE"], idempotency_key=ONCE)).key
    first, second = made.id, (await keys.create("second", actor=Actor.of(made))).key.id
    await keys.deactivate([first, second])
    await keys.activate(second)
    await keys.rotate(second, grace=60)
    await keys.delete(first)
    await make_old(keys)
    await keys.update(second, description="now")
    return first, second


async def lines(keys: APIKeys) -> list[tuple[int, int, str]]:
    """What the log holds."""
    async with keys._database._reading("") as connection:
        found = select(events.c.seq, events.c.n, events.c.kind).order_by(events.c.seq, events.c.n)
        return [(row.seq, row.n, row.kind) for row in await connection.execute(found)]


async def hold(keys: APIKeys, table: Any, **row: Any) -> None:
    """Put a row there."""
    async with keys._database._writing("") as connection:
        await connection.execute(insert(table).values(row))
        await connection.commit()


def worker(acked_seq: int, seen_at: datetime | None = None) -> dict[str, Any]:
    """The row of a worker."""
    seen_at = datetime.now(UTC) if seen_at is None else seen_at
    return {"id": f"{acked_seq:032x}", "name": "host:1", "seen_at": seen_at, "acked_seq": acked_seq, "max_staleness": 1}


async def test_old_lines_go_but_those_of_keys_making_and_the_log_is_whole_before_and_after(keys: APIKeys) -> None:
    _, second = await make_past(keys)
    goes = [each for each in await lines(keys) if each[0] < 7 and each[2] != "created"]
    done = await keys.prune(events_before=long_ago())
    assert done.log == PrunedLog(removed=len(goes), kept=2, to=6)
    assert await lines(keys) == [(1, 0, "created"), (2, 0, "created"), (7, 0, "updated"), (7, 1, "updated")]
    check = await keys.audit_log.verify()
    assert (check.is_whole, check.kept, check.first) == (True, 2, 7)
    assert [event.seq for event in (await keys.events(second)).items] == [7, 2]
    again = await keys.prune(events_before=long_ago())
    assert again.log == PrunedLog(to=6)

    await make_old(keys, to=6)  # what was kept is as it was, also to the last digit: this is an alteration
    assert (await keys.audit_log.verify()).is_whole is False


async def test_the_chain_goes_on_over_many_prunings_whatever_goes_at_once(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "LINES", 3)
    chain, links = keys._database.chain, keys._opened().sealing.links
    ids = [(await keys.create(f"{number}")).key.id for number in range(5)]
    parts: list[PrunedLog] = []
    for _ in range(3):
        ids += [(await keys.create("later")).key.id]
        await keys.activate(ids[:2])
        await keys.deactivate(ids)
        await keys.activate(ids)
        parts.clear()
        newest = (await keys.events(limit=1)).items[0].seq
        done = await chain.prune(links, datetime.now(UTC) + timedelta(days=1), parts.append)
        assert (done, done.to) == (parts[-1], newest - 1)
        check = await keys.audit_log.verify()
        assert told(check) == []
        assert check.kept == len(ids)
        assert len(await lines(keys)) == 2 * len(ids)
    assert len(parts) > 1


async def test_of_many_that_prune_at_once_each_part_is_pruned_by_one(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "LINES", 2)
    ids = [(await keys.create(f"{number}")).key.id for number in range(4)]
    for _ in range(5):
        await keys.deactivate(ids[:1])
        await keys.activate(ids[:1])
    await make_old(keys)
    done = await asyncio.gather(*(keys.prune(events_before=long_ago()) for _ in range(3)))
    assert sum(each.log.removed for each in done if each.log) == 1 + 9
    check = await keys.audit_log.verify()
    assert (told(check), check.kept) == ([], 4)


async def test_a_part_that_another_has_pruned_meanwhile_is_not_pruned_again(keys: APIKeys) -> None:
    await make_past(keys)
    await keys.audit_log.seal()
    database, links = keys._database, keys._opened().sealing.links
    batch = await pruning.next_batch(ChainReader(database._reading, ""), links, 6)
    assert batch is not None
    await keys.prune(events_before=long_ago())
    async with database._writing("") as connection:
        assert await pruning.prune(connection, links, batch) is None
        await connection.commit()
    assert (await keys.audit_log.verify()).is_whole


async def test_a_check_that_pruning_came_in_between_is_made_anew(
    sqlite_keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_past(sqlite_keys)
    await sqlite_keys.audit_log.seal()
    read, looks = ChainReader.link, itertools.count()

    async def link(reader: ChainReader, seq: int | None = None) -> Link | None:
        if next(looks) == 0:
            await sqlite_keys.prune(events_before=long_ago())
        return await read(reader, seq)

    monkeypatch.setattr(ChainReader, "link", link)
    check = await sqlite_keys.audit_log.verify()
    assert (told(check), check.kept, check.first) == ([], 2, 7)


TAMPERED: dict[str, tuple[list[str], list[tuple[str, int, int]]]] = {
    "a kept line altered": (["UPDATE gatepost_events SET actor = 'x' WHERE seq = 1"], [("altered", 1, 1)]),
    "a kept line taken out": (["DELETE FROM gatepost_events WHERE seq = 1"], [("missing", 1, 1)]),
    "a kept line taken out, with its link": (
        ["DELETE FROM gatepost_events WHERE seq = 1", "DELETE FROM gatepost_chain WHERE seq = 1"],
        [("altered", 2, 2)],
    ),
    "the last kept line taken out, with its link": (
        ["DELETE FROM gatepost_events WHERE seq = 2", "DELETE FROM gatepost_chain WHERE seq = 2"],
        [("kept", 6, 6)],
    ),
    "a line put in among them": (
        [
            """INSERT INTO gatepost_events (seq, n, nonce, kind, at)
            SELECT 4, 0, 1, 'created', at FROM gatepost_events WHERE seq = 1"""
        ],
        [("added", 4, 4)],
    ),
    "the anchor's hash altered": (
        ["UPDATE gatepost_chain_anchor SET hash = (SELECT hash FROM gatepost_chain WHERE seq = 1)"],
        [("anchor", 6, 6), ("altered", 7, 7)],
    ),
    "the anchor put back to the beginning": (
        ["UPDATE gatepost_chain_anchor SET seq = -1"],
        [("anchor", -1, -1)],
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_what_was_done_to_a_pruned_log_is_told(sqlite_keys: APIKeys, by_hand: ByHand, what: str) -> None:
    await make_past(sqlite_keys)
    await sqlite_keys.prune(events_before=long_ago())
    await sqlite_keys.audit_log.seal()
    statements, flaws = TAMPERED[what]
    await by_hand(*statements)
    check = await sqlite_keys.audit_log.verify()
    assert told(check)[: len(flaws)] == flaws


async def test_an_idempotency_key_makes_no_secret_again_though_the_log_was_pruned(sqlite_keys: APIKeys) -> None:
    """The secret that it makes is always the same: that of a key that was deleted must not come back."""
    first, _ = await make_past(sqlite_keys)
    await sqlite_keys.prune(events_before=long_ago())
    with pytest.raises(IdempotencyError, match="more than 24 hours ago"):
        await sqlite_keys.create("first", ["ACCESS_READ", "ACCESS_MANAGE"], idempotency_key=ONCE)
    with pytest.raises(KeyNotFoundError):
        await sqlite_keys.get(first)


async def test_who_made_which_key_is_known_though_the_log_was_pruned(sqlite_keys: APIKeys) -> None:
    first, second = await make_past(sqlite_keys)
    assert [key.id for key in (await sqlite_keys.made_by(first)).items] == [second]
    await sqlite_keys.prune(events_before=long_ago())
    assert [key.id for key in (await sqlite_keys.made_by(first)).items] == [second]


async def test_what_a_worker_has_not_applied_stays(keys: APIKeys) -> None:
    await make_past(keys)
    before = await lines(keys)
    await hold(keys, workers, **worker(BEHIND + 2))
    done = await keys.prune(events_before=long_ago())
    assert done.log == PrunedLog(removed=1, kept=2, to=2, held_by="worker host:1")
    assert [seq for seq, _, _ in await lines(keys)] == [seq for seq, _, _ in before if seq]
    async with keys._database._writing("") as connection:
        await connection.execute(update(workers).values(acked_seq=-1))  # has joined just now: begins at the end
        await connection.commit()
    done = await keys.prune(events_before=long_ago())
    assert done.log is not None
    assert (done.log.to, done.log.held_by) == (6, None)


@pytest.mark.parametrize(("n", "to"), [(2**31 - 1, 4), (0, 3)], ids=["whole", "in part"])
async def test_what_a_target_has_not_queued_stays(keys: APIKeys, n: int, to: int) -> None:
    await make_past(keys)
    await hold(keys, targets, name="billing", seq=4, n=n)
    done = await keys.prune(events_before=long_ago())
    assert done.log is not None
    assert (done.log.to, done.log.held_by) == (to, "target billing")
    assert (to + 1) in [seq for seq, _, _ in await lines(keys)]


async def test_the_newest_change_stays_however_old_it_is(keys: APIKeys) -> None:
    key_id = (await keys.create("x")).key.id
    await keys.deactivate(key_id)
    await keys.activate(key_id)
    await make_old(keys)
    done = await keys.prune(events_before=long_ago())
    assert done.log is not None
    assert done.log.to == 2
    assert [seq for seq, _, _ in await lines(keys)] == [1, 3]
    await keys.serve()
    assert keys.worker is not None, "it can show that it is where the database is"
    assert (await keys.audit_log.verify()).is_whole


async def test_a_preview_changes_nothing_and_tells_what_is_then_done(keys: APIKeys) -> None:
    await make_past(keys)
    await hold(keys, targets, name="billing", seq=5, n=2**31 - 1)
    before = await lines(keys)
    shown = await keys.prune(events_before=long_ago(), preview=True, dead_workers=True)
    assert (shown.is_preview, shown.workers) == (True, ())
    assert await lines(keys) == before
    assert await keys._database.chain.sealed_to() == -1
    done = await keys.prune(events_before=long_ago())
    assert done.log == shown.log
    assert done.workers is None


async def test_a_preview_counts_the_rows_of_usage(ready_sqlite_url: str) -> None:
    from gatepost import Outcome  # noqa: PLC0415

    async with APIKeys(ready_sqlite_url) as keys:
        issued = await keys.create("x")
        assert keys.uses is not None
        for age in (0, 150, 151, 152, 1500):
            keys.uses.count(Outcome.VALID, issued.key.id, bytes(32), keys.uses.clock() - age * 86400, "", None)
        await keys.flush_usage()
        shown = await keys.prune(preview=True)
        done = await keys.prune()
        assert shown.rolled_up == done.rolled_up == 4


async def test_a_worker_that_starts_after_pruning_takes_its_floors_from_what_is_left(sqlite_keys: APIKeys) -> None:
    await make_past(sqlite_keys)
    await sqlite_keys.prune(events_before=long_ago())
    assert await sqlite_keys._database.read_oldest_seq(-1) == 7, "not where what was kept begins"
    await sqlite_keys.serve()
    assert sqlite_keys._opened().freshness._general_floor == 7


async def test_a_worker_whose_place_in_the_log_was_pruned_believes_nothing_from_before(
    sqlite_keys: APIKeys, ready_sqlite_url: str
) -> None:
    async with APIKeys(ready_sqlite_url, poll_interval=60, max_staleness=600) as behind:
        issued = await behind.create("x")
        await behind.verify(issued.secret)
        freshness = behind._opened().freshness
        await freshness._polling.acquire()  # it hears nothing
        async with sqlite_keys._database._writing("") as connection:
            await connection.execute(workers.delete())  # it was away for so long that others took it for dead
            await connection.commit()
        await sqlite_keys.deactivate(issued.key.id)
        await sqlite_keys.update(issued.key.id, description="y")
        await make_old(sqlite_keys)
        await sqlite_keys.create("z")
        assert (await sqlite_keys.prune(events_before=long_ago())).log == PrunedLog(removed=3, kept=1, to=3)
        freshness._polling.release()
        await freshness.poll()
        assert (await behind.verify(issued.secret)).outcome == "key_deactivated"
        assert freshness._general_floor > 4


async def test_rows_of_dead_workers_go_and_those_of_living_ones_stay(keys: APIKeys) -> None:
    await make_past(keys)
    old = datetime.now(UTC) - timedelta(days=1)
    await hold(keys, workers, **worker(5, old))
    await hold(keys, workers, **worker(6, old))
    await hold(keys, workers, **worker(4))
    now = 0.0

    def clock() -> float:
        return now

    keys._parts.clock = clock
    shown = await keys.prune(events_before=long_ago(), dead_workers=True, preview=True)
    assert {each.id for each in shown.workers or ()} == {f"{5:032x}", f"{6:032x}"}
    pruning_it = asyncio.create_task(keys.prune(dead_workers=True))
    await asyncio.sleep(0.3)  # it watches, and however long that takes nothing goes while its clock stands
    async with keys._database._writing("") as connection:
        await connection.execute(update(workers).where(workers.c.acked_seq == 6).values(beat=7))
        await connection.commit()
        assert await connection.scalar(select(func.count()).select_from(workers)) == 3
    assert not pruning_it.done()
    now = 2.02 + 0.05 + 0.01
    done = await pruning_it
    assert [each.id for each in done.workers or ()] == [f"{5:032x}"]
    assert await keys._database.workers.read_acked() == {f"{6:032x}": 6, f"{4:032x}": 4}


def test_the_bound_is_the_least_of_all_that_need_the_log() -> None:
    def bound(older: int, newest: int, holds: Iterable[Hold] = ()) -> tuple[int, str]:
        found = prunable_to(older=older, newest=newest, holds=holds)
        return found.seq, found.who

    assert bound(50, 100) == (50, "")
    assert bound(100, 100) == (99, "")
    assert bound(50, 100, [Hold("target a", 60)]) == (50, "")
    assert bound(50, 100, [Hold("target a", 40), hold_of_worker("w", 30 + BEHIND)]) == (30, "worker w")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"events_before": datetime.now(UTC) - timedelta(days=1)}, "at least 2 days ago"),
        ({"events_before": datetime(2020, 1, 1)}, "events_before"),  # noqa: DTZ001 - that is what is refused
        ({"events_before": "400d"}, "events_before"),
        ({"dead_workers": 1}, "dead_workers must be True or False"),
        ({"preview": "yes"}, "preview must be True or False"),
    ],
)
async def test_bad_input_is_refused(sqlite_keys: APIKeys, given: dict[str, Any], message: str) -> None:
    await make_past(sqlite_keys)
    before = await lines(sqlite_keys)
    with pytest.raises(BadInputError, match=message):
        await sqlite_keys.prune(**given)
    with pytest.raises(AccessDeniedError):
        await sqlite_keys.prune(events_before=long_ago(), actor=Actor("ann"))
    assert await lines(sqlite_keys) == before
