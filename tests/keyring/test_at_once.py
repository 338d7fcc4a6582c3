"""Changes that are made at the same time share a transaction, and each gets what it would have got alone."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence, Set
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from gatepost import (
    APIKeys,
    BadInputError,
    Issued,
    KeyNotFoundError,
    Receipt,
    SecretNotStoredError,
    StaleKeyError,
    UnavailableError,
    UncertainCommitError,
)
from gatepost.database.changes import Change
from gatepost.database.group_commit import GROUP_MAX
from gatepost.database.transaction import Transaction
from gatepost.keys import making
from tests.keyring.conftest import logged

MANY = 64

Statements = list[str]


@contextmanager
def statements_of(keys: APIKeys) -> Iterator[Statements]:
    """What is sent, without what polls and rings: the first three words of each statement, and `COMMIT`."""
    sent: Statements = []
    engine = keys._database.engine.sync_engine

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if (
            "gatepost_workers" not in statement
            and "pg_notify" not in statement
            and "SELECT gatepost_events" not in statement
        ):
            sent.append(" ".join(statement.split()[:3]))

    def commit(_conn: Any) -> None:
        sent.append("COMMIT")

    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine, "commit", commit)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
        event.remove(engine, "commit", commit)


async def create_many(keys: APIKeys, count: int = MANY) -> Sequence[Issued]:
    """So many, asked for at once."""
    return await asyncio.gather(*(keys.create(f"key {n}", ["FILE_UPLOAD"]) for n in range(count)))


async def kinds(keys: APIKeys) -> list[tuple[int | None, str]]:
    """The log: seq and kind of each event, oldest first."""
    return [(each.seq, each.kind) for each in reversed((await keys.events(limit=500)).items)]


async def position_is_the_logs_end(keys: APIKeys) -> bool:
    """Whether the log tells of every seq, in order, and ends as the counter says."""
    position = await keys._database.read_position()
    log = await logged(keys, 0, position.seq)
    seqs = list(dict.fromkeys(each.seq for each in log))
    return seqs == list(range(position.seq + 1)) and log[-1].nonce == position.nonce


def after_begin(keys: APIKeys, sent: Statements) -> Statements:
    """What was sent after the counter was taken: one statement where an `UPDATE` can answer, else two."""
    take, *rest = sent
    assert take == "UPDATE gatepost_counter SET"
    if keys._database.engine.dialect.update_returning:
        return rest
    look, *rest = rest
    assert look.startswith("SELECT gatepost_counter.seq")
    return rest


INSERTS = [f"INSERT INTO gatepost_{table}" for table in ("keys", "secrets", "terms", "last_used", "events")]


async def test_a_change_that_is_alone_sends_what_it_always_did(keys: APIKeys) -> None:
    with statements_of(keys) as sent:
        await keys.create("a key", ["FILE_UPLOAD"])
    assert after_begin(keys, sent) == [*INSERTS, "COMMIT"]


async def test_a_switch_that_is_alone_sends_no_more_than_it_must(keys: APIKeys) -> None:
    issued = await keys.create("a key", ["FILE_UPLOAD"])
    with statements_of(keys) as sent:
        await keys.deactivate(issued.key.id, wait="commit")
    states, switch, note, *digests, commit = (each.partition(" ")[0] for each in after_begin(keys, sent))
    assert (states, switch, note, commit) == ("SELECT", "UPDATE", "INSERT", "COMMIT")
    assert digests == ([] if keys._database.engine.dialect.insert_returning else ["SELECT"])


async def test_keys_made_at_once_are_made_in_one_transaction_with_a_seq_and_an_event_each(keys: APIKeys) -> None:
    with statements_of(keys) as sent:
        made = await create_many(keys)
    counts = Counter(sent)
    assert counts["COMMIT"] == 1
    assert counts["UPDATE gatepost_counter SET"] == 2
    assert [counts[each] for each in INSERTS] == [1] * len(INSERTS)
    assert await kinds(keys) == [(0, "installed"), *((n, "created") for n in range(1, MANY + 1))]
    assert await position_is_the_logs_end(keys)
    assert len({each.key.updated_at for each in made}) == MANY
    stored = {each.id: each for each in (await keys.list(limit=100)).items}
    assert all(stored[each.key.id] == each.key for each in made)
    assert all([(await keys.verify(each.secret)).valid for each in made])


async def test_no_transaction_is_of_more_than_a_bounded_number(keys: APIKeys) -> None:
    with statements_of(keys) as sent:
        await create_many(keys, GROUP_MAX + 1)
    assert Counter(sent)["COMMIT"] == 2
    assert await position_is_the_logs_end(keys)


async def test_what_comes_during_a_commit_goes_out_together_after_it(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[asyncio.Task[Issued]] = []
    real = Transaction.commit

    async def commit(transaction: Transaction) -> None:
        if not later:
            later.extend(asyncio.create_task(keys.create(f"later {n}")) for n in range(10))
            await asyncio.sleep(0.02)
        await real(transaction)

    monkeypatch.setattr(Transaction, "commit", commit)
    with statements_of(keys) as sent:
        await keys.create("first")
        await asyncio.gather(*later)
    assert Counter(sent)["COMMIT"] == 2
    assert await position_is_the_logs_end(keys)


async def test_workers_are_rung_for_once_for_all_that_is_committed_at_once(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    rings = 0

    async def nudge() -> None:
        nonlocal rings
        rings += 1

    monkeypatch.setattr(keys._database.doorbell, "nudge", nudge)
    await create_many(keys)
    assert rings == 1


async def test_one_key_changed_several_times_at_once_has_an_event_of_each_and_none_by_hand(keys: APIKeys) -> None:
    issued = await keys.create("a key", ["FILE_UPLOAD"])
    key_id = issued.key.id
    done: list[Any] = await asyncio.gather(
        *(keys.update(key_id, description=f"number {n}") for n in range(5)),
        keys.deactivate(key_id),
        keys.activate(key_id),
        keys.rotate(key_id, grace=60),
        keys.create("another"),
        keys.end_grace(key_id),
    )
    log = await kinds(keys)
    assert [kind for kind, _ in Counter(kind for _, kind in log).items()] == [
        *("installed", "created", "updated", "deactivated", "activated", "rotated", "grace_ended")
    ]
    assert Counter(log)[8, "created"] == 0
    assert {seq for seq, _ in log} == set(range(12))
    assert len({each.version for each in done[:5]}) == 5
    assert [each.seq for each in done[5:7]] == [7, 8]
    assert await position_is_the_logs_end(keys)
    assert (await keys.verify(done[7].secret)).valid
    assert not (await keys.verify(issued.secret)).valid


async def test_of_several_edits_of_one_version_at_once_one_is_made(keys: APIKeys) -> None:
    key = (await keys.create("a key")).key
    edits = (keys.update(key.id, description=f"edit {n}", if_version=key.version) for n in range(8))
    done = await asyncio.gather(*edits, return_exceptions=True)
    assert [type(each) for each in done[1:]] == [StaleKeyError] * 7
    assert (await keys.get(key.id)).description == "edit 0"
    assert await position_is_the_logs_end(keys)


async def test_one_idempotency_key_asked_with_several_times_at_once_makes_one_key(keys: APIKeys) -> None:
    done = await asyncio.gather(*(keys.create("once", idempotency_key="0123456789abcdef") for _ in range(8)))
    assert len({(each.key.id, each.secret) for each in done}) == 1
    assert await kinds(keys) == [(0, "installed"), (1, "created")]


async def test_a_change_that_fails_takes_no_other_with_it(keys: APIKeys) -> None:
    first = await keys.create("a key")
    with statements_of(keys) as sent:
        done = await asyncio.gather(
            keys.create("good 1"),
            keys.create("late", expires_at=datetime.now(UTC) - timedelta(days=1)),
            keys.deactivate("AAAAAAAAAAAA"),
            keys.update(first.key.id, description="edited"),
            keys.update(first.key.id, description="stale", if_version=first.key.version),
            keys.create("good 2"),
            return_exceptions=True,
        )
    good, late, unknown, _, stale, another = done
    assert isinstance(late, BadInputError)
    assert isinstance(unknown, KeyNotFoundError)
    assert isinstance(stale, StaleKeyError)
    for each in (good, another):
        assert isinstance(each, Issued)
        assert (await keys.verify(each.secret)).valid
    assert Counter(sent)["COMMIT"] == 1, "none of them had written before it failed"
    assert [seq for seq, _ in await kinds(keys)] == list(range(5))
    assert await position_is_the_logs_end(keys)


async def test_a_change_that_fails_after_it_has_written_is_undone_alone(keys: APIKeys) -> None:
    key = (await keys.create("a key")).key
    real = Change.set_active

    async def then_fail(change: Change, ids: Sequence[str], active: bool) -> None:
        await real(change, ids, active)
        raise SecretNotStoredError("after it has written")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Change, "set_active", then_fail)
        done = await asyncio.gather(
            keys.create("good 1"), keys.create("good 2"), keys.deactivate(key.id), return_exceptions=True
        )
    assert [type(each) for each in done] == [Issued, Issued, SecretNotStoredError]
    assert (await keys.get(key.id)).active
    assert await kinds(keys) == [(0, "installed"), *((n, "created") for n in (1, 2, 3))]
    assert await position_is_the_logs_end(keys)


async def test_rows_that_the_database_refuses_fail_their_change_alone(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = (await keys.create("a key")).key.id
    ids = iter(["AAAAAAAAAAAA", taken, "AAAAAAAAAAAB"])
    monkeypatch.setattr(making, "new_id", lambda: next(ids))
    done = await asyncio.gather(*(keys.create(f"key {n}") for n in range(3)), return_exceptions=True)
    assert [type(each) for each in done] == [Issued, IntegrityError, Issued]
    assert await kinds(keys) == [(0, "installed"), *((n, "created") for n in (1, 2, 3))]


async def test_a_statement_that_fails_fails_its_change_alone(keys: APIKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    key = (await keys.create("a key")).key

    async def ask_for_nothing(change: Change, _ids: Sequence[str]) -> Any:
        await change.execute(text("SELECT 1 FROM there_is_no_such_table"))

    monkeypatch.setattr(Change, "states", ask_for_nothing)
    done = await asyncio.gather(
        keys.create("good 1"), keys.deactivate(key.id), keys.create("good 2"), return_exceptions=True
    )
    assert [type(each) for each in done] == [Issued, UnavailableError, Issued]
    assert await kinds(keys) == [(0, "installed"), *((n, "created") for n in (1, 2, 3))]


@pytest.mark.parametrize("failing", ["the server", "statements"])
async def test_a_database_that_fails_is_asked_once_for_all(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    begun = 0
    real = Transaction.begin

    async def begin(transaction: Transaction) -> None:
        nonlocal begun
        begun += 1
        if begun > 1 and failing == "the server":
            raise OSError("the server is gone")
        await real(transaction)

    async def lose(change: Change, _ids: Sequence[str]) -> Any:
        change._transaction.is_broken = True
        raise OSError("the connection is lost")

    monkeypatch.setattr(Transaction, "begin", begin)
    monkeypatch.setattr(Change, "states", lose)
    ends = 1 if failing == "the server" else 5
    calls: list[Any] = [keys.deactivate("AAAAAAAAAAAA") for _ in range(ends)]
    calls += [keys.create(f"key {n}") for n in range(10 - ends)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in done] == [UnavailableError] * 10
    assert begun == 2, "anew without the one that failed, and not again for that one"


async def test_a_change_that_is_committed_while_others_are_rung_for_is_rung_for_itself(
    sqlite_keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = sqlite_keys
    rings, announced, let_go = 0, 0, asyncio.Event()
    announcements = keys._opened().announcements
    announce = announcements.announce

    async def nudge() -> None:
        nonlocal rings
        rings += 1
        await let_go.wait()

    async def counted(digests: Set[bytes]) -> None:
        nonlocal announced
        announced += 1
        await announce(digests)

    monkeypatch.setattr(keys._database.doorbell, "nudge", nudge)
    monkeypatch.setattr(announcements, "announce", counted)
    calls = [asyncio.create_task(keys.create("first"))]
    for number in range(3):
        while announced < number + 1:  # noqa: ASYNC110 - who is committed may not have come to its ring
            await asyncio.sleep(0.005)
        if number < 2:
            calls.append(asyncio.create_task(keys.create("during the first's ring")))
    assert rings == 1
    let_go.set()
    await asyncio.gather(*calls)
    assert rings == 2


async def test_a_commit_that_nobody_can_tell_of_is_told_to_each_with_its_own_number(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(_transaction: Transaction) -> None:
        raise ConnectionResetError("COMMIT never arrived")

    async def nobody_knows(*_: Any) -> None:
        return None

    monkeypatch.setattr(Transaction, "commit", lose)
    monkeypatch.setattr("gatepost.database.database.was_committed", nobody_knows)
    done = await asyncio.gather(*(keys.create(f"key {n}") for n in range(3)), return_exceptions=True)
    assert [each.seq for each in done if isinstance(each, UncertainCommitError)] == [1, 2, 3]
    assert [f"change {n} was" in str(each) for n, each in enumerate(done, 1)] == [True] * 3


async def test_a_commit_whose_answer_is_lost_is_found_for_each(keys: APIKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Transaction.commit

    async def lose_answer(transaction: Transaction) -> None:
        await real(transaction)
        raise ConnectionResetError("the answer to COMMIT was lost")

    monkeypatch.setattr(Transaction, "commit", lose_answer)
    made = await create_many(keys, 5)
    assert {each.id for each in (await keys.list()).items} == {each.key.id for each in made}


@pytest.fixture
async def held(keys: APIKeys) -> AsyncIterator[asyncio.Event]:
    """Changes wait until it is set, before they have begun."""
    let_go = asyncio.Event()
    real = Transaction.begin

    async def begin(transaction: Transaction) -> None:
        await let_go.wait()
        await real(transaction)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transaction, "begin", begin)
        yield let_go


async def test_a_call_that_is_cancelled_before_its_change_has_begun_changes_nothing_and_harms_nobody(
    keys: APIKeys, held: asyncio.Event
) -> None:
    calls = [asyncio.create_task(keys.create(f"key {n}")) for n in range(3)]
    await asyncio.sleep(0.02)
    calls[1].cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await calls[1]
    assert not hasattr(raised.value, "__notes__")
    held.set()
    await asyncio.gather(calls[0], calls[2])
    assert sorted(each.description for each in (await keys.list()).items) == ["key 0", "key 2"]
    assert await position_is_the_logs_end(keys)


async def test_calls_that_are_all_cancelled_give_the_counter_back(keys: APIKeys, held: asyncio.Event) -> None:
    calls = [asyncio.create_task(keys.create(f"key {n}")) for n in range(3)]
    await asyncio.sleep(0.02)
    for call in calls:
        call.cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in done] == [asyncio.CancelledError] * 3
    held.set()
    assert (await keys.create("after")).key.description == "after"
    assert await kinds(keys) == [(0, "installed"), (1, "created")]


async def test_a_call_that_is_cancelled_while_it_waits_for_its_turn_is_not_made(
    keys: APIKeys, held: asyncio.Event
) -> None:
    first = asyncio.create_task(keys.create("first"))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(keys.create("second"))
    await asyncio.sleep(0.02)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    held.set()
    await first
    assert [each.description for each in (await keys.list()).items] == ["first"]


async def test_a_call_that_is_cancelled_among_others_ends_when_they_do_and_says_that_it_is_committed(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (await keys.create("a key")).key
    committing, let_go = asyncio.Event(), asyncio.Event()
    real = Transaction.commit

    async def commit(transaction: Transaction) -> None:
        committing.set()
        await let_go.wait()
        await real(transaction)

    monkeypatch.setattr(Transaction, "commit", commit)
    cancelled = asyncio.create_task(keys.deactivate(key.id))
    other = asyncio.create_task(keys.create("other"))
    await committing.wait()
    cancelled.cancel()
    await asyncio.sleep(0.02)
    assert not cancelled.done()
    cancelled.cancel()
    let_go.set()
    with pytest.raises(asyncio.CancelledError) as raised:
        await cancelled
    assert raised.value.__notes__ == ["gatepost: change 2 is committed"]
    assert not (await keys.get(key.id)).active
    assert (await other).key.description == "other"


async def test_switched_off_at_once_by_several_calls_every_receipt_is_complete(keys: APIKeys) -> None:
    made = await create_many(keys, 10)
    receipts = await asyncio.gather(*(keys.deactivate(each.key.id) for each in [*made, made[0]]))
    assert all(isinstance(each, Receipt) and each.propagation.complete for each in receipts)
    assert list(receipts[-1].unchanged) == [made[0].key.id]
    assert [each.seq for each in receipts[:-1]] == list(range(11, 21))
    assert not any([(await keys.verify(each.secret)).valid for each in made])
