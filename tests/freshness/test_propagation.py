"""When a verb that takes something away returns, no worker accepts it any more; and what callers are told else."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import gatepost.database.commit
from gatepost import APIKeys, ConfigurationError, Outcome, StillSpreadingError, UnavailableError, UncertainCommitError
from gatepost.base.clock import boot_clock
from gatepost.base.models import Worker
from gatepost.base.secret import digest
from gatepost.database.commit import commit
from gatepost.database.connecting import changing
from gatepost.database.transaction import Transaction
from gatepost.database.workers import WorkerRow
from gatepost.freshness.membership import certainly_over
from gatepost.freshness.propagation import Propagations, Spread
from tests.deaf import deafen
from tests.servers.proxy import proxied

Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """`await start(url, redis=None, serving=True, **options)`: open keys over a database with tables. They do not hear
    its doorbell: what happens is theirs to poll for."""
    async with AsyncExitStack() as stack:

        async def make(url: str, redis: str | None = None, *, serving: bool = True, **options: Any) -> APIKeys:
            options = {"poll_interval": 0.1, "max_staleness": 300.0, "redis_timeout": 10.0} | options
            keys = APIKeys(url, redis, **options)
            await stack.enter_async_context(keys)
            deafen(keys)
            if serving:
                await keys.serve()
            return keys

        yield make


def name_of(keys: APIKeys) -> str:
    """The worker's id."""
    worker = keys._opened().freshness.worker
    assert worker is not None
    return worker.id


async def cut_off(keys: APIKeys) -> str:
    """End a worker as SIGKILL would, as far as others can tell: it says and reads nothing any more. Its id."""
    worker_id = name_of(keys)
    freshness = keys._opened().freshness
    async with freshness._polling:
        assert freshness._task is not None
        freshness._task.cancel()
        freshness._membership.worker = None  # nor does it leave when it is closed
    return worker_id


async def rows_of(keys: APIKeys) -> set[str]:
    """The ids of the workers that the table tells of."""
    return {row.worker.id for row in await keys._database.workers.read_all()}


async def switched_off(keys: APIKeys, key_id: str) -> None:
    """Wait until the change of a key to "off" is committed."""
    while (await keys.get(key_id)).active:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("with_redis", [False, True], ids=["no redis", "redis"])
@pytest.mark.parametrize("verb", ["deactivate", "delete", "rotate", "end_grace", "update"])
async def test_no_worker_accepts_what_was_taken_away_once_the_call_has_returned(
    start: Start, ready_url: str, verb: str, with_redis: bool, request: pytest.FixtureRequest
) -> None:
    redis = request.getfixturevalue("redis_url") if with_redis else None
    admin = await start(ready_url, redis, serving=False)
    workers = [await start(ready_url, redis) for _ in range(3)]
    issued = await admin.create("a key", ["FILE_UPLOAD", "OBJECTS_LIST"])
    if verb == "end_grace":
        await admin.rotate(issued.key.id, grace=60)
    for _ in range(2):
        for keys in workers:
            verdict = await keys.verify(issued.secret)
            assert verdict.valid
            assert verdict.key is not None
            assert "FILE_UPLOAD" in verdict.key.permissions

    before = datetime.now(UTC)
    match verb:
        case "update":
            propagation = (await admin.update(issued.key.id, permissions=["OBJECTS_LIST"])).propagation
        case "rotate":
            propagation = (await admin.rotate(issued.key.id, grace=0)).propagation
        case _:
            propagation = (await getattr(admin, verb)([issued.key.id])).propagation
    after = datetime.now(UTC)

    for keys in workers:
        remembered = keys.hit(digest(issued.secret.encode()))
        assert remembered is None or "FILE_UPLOAD" not in remembered.permissions
        verdict = await keys.verify(issued.secret)
        if verb == "update":
            assert verdict.key is not None
            assert verdict.key.permissions == {"OBJECTS_LIST"}
        else:
            assert verdict.outcome is (Outcome.DEACTIVATED if verb == "deactivate" else Outcome.INVALID)
    assert propagation is not None
    assert propagation.complete
    assert {worker.id for worker in propagation.acknowledged} == {name_of(keys) for keys in workers}
    assert not propagation.expired
    assert propagation.holds_from is not None
    took = after - before  # the database's clock is learnt as exactly as it answers soon
    assert before - took <= propagation.holds_from <= after + took


async def test_an_edit_that_takes_nothing_away_does_not_wait(start: Start, ready_sqlite_url: str) -> None:
    admin, dead = await start(ready_sqlite_url, serving=False), await start(ready_sqlite_url)
    issued = await admin.create("a key", ["OBJECTS_LIST"])
    await cut_off(dead)
    await admin.update(issued.key.id, description="another", permissions=["OBJECTS_LIST", "FILE_UPLOAD"])
    edited = await admin.update(issued.key.id, expires_at=None)
    assert not edited.propagation.complete
    assert edited == await admin.get(issued.key.id)
    soon = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(StillSpreadingError):
        await admin.update(issued.key.id, expires_at=soon, timeout=0.1)


async def test_a_dead_worker_is_waited_for_until_its_lease_has_run_out_and_no_longer(
    start: Start, ready_url: str
) -> None:
    admin, alive = await start(ready_url, serving=False), await start(ready_url)
    dead = await start(ready_url, max_staleness=1.0)
    issued = await admin.create("a key")
    assert (await dead.verify(issued.secret)).valid
    dead_id = await cut_off(dead)
    begin = time.monotonic()
    propagation = (await admin.deactivate(issued.key.id)).propagation
    took = time.monotonic() - begin
    assert dead.hit(digest(issued.secret.encode())) is None
    assert took >= certainly_over(1.0)  # and no longer, in the simulation's time: tests/simulation/test_regressions.py
    assert [worker.id for worker in propagation.expired] == [dead_id]
    assert [worker.id for worker in propagation.acknowledged] == [name_of(alive)]
    assert propagation.complete


async def test_a_worker_that_has_closed_is_not_waited_for(start: Start, ready_sqlite_url: str) -> None:
    admin, worker = await start(ready_sqlite_url, serving=False), await start(ready_sqlite_url)
    issued = await admin.create("a key")
    worker_id = name_of(worker)
    assert await rows_of(admin) == {worker_id}
    await worker.close()
    assert await rows_of(admin) == set()
    propagation = (await admin.deactivate(issued.key.id)).propagation
    assert (propagation.complete, propagation.expired, propagation.left) == (True, (), ())


async def test_a_worker_that_closes_while_it_is_waited_for_counts_as_left(
    start: Start, ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await start(ready_sqlite_url, serving=False)
    worker = await start(ready_sqlite_url, poll_interval=150.0)
    issued = await admin.create("a key")
    worker_id = name_of(worker)
    read_all, has_looked = admin._database.workers.read_all, asyncio.Event()

    async def looked() -> Sequence[WorkerRow]:
        rows: Sequence[WorkerRow] = await read_all()
        has_looked.set()
        return rows

    monkeypatch.setattr(admin._database.workers, "read_all", looked)
    waiting = asyncio.create_task(admin.deactivate(issued.key.id))
    await has_looked.wait()
    await worker.close()
    assert [each.id for each in (await waiting).propagation.left] == [worker_id]


async def test_wait_commit_returns_at_once_and_tells_by_when_it_holds(start: Start, ready_sqlite_url: str) -> None:
    admin = await start(ready_sqlite_url, serving=False)
    worker = await start(ready_sqlite_url, poll_interval=150.0)
    issued = await admin.create("a key")
    before = datetime.now(UTC)
    propagation = (await admin.deactivate(issued.key.id, wait="commit")).propagation
    after = datetime.now(UTC)
    assert not propagation.complete
    assert [each.id for each in propagation.waiting] == [name_of(worker)]
    assert propagation.holds_from is not None
    took, lease = after - before, timedelta(seconds=certainly_over(300.0))
    assert before + lease - took <= propagation.holds_from <= after + lease + took


async def test_a_timeout_raises_an_error_that_says_that_it_is_committed_and_by_when_it_holds(
    start: Start, ready_sqlite_url: str
) -> None:
    admin = await start(ready_sqlite_url, serving=False)
    worker = await start(ready_sqlite_url, poll_interval=150.0)
    issued = await admin.create("a key")
    begin = time.monotonic()
    with pytest.raises(StillSpreadingError, match=r"is committed.*holds everywhere from 20") as raised:
        await admin.rotate(issued.key.id, grace=0, timeout=0.3)
    assert time.monotonic() - begin >= 0.3
    rotated = raised.value.result
    assert rotated.secret not in str(raised.value)
    assert rotated.secret not in repr(raised.value)
    assert rotated.propagation.waiting
    assert (await worker.verify(rotated.secret)).valid
    for wrong in ({"timeout": -1}, {"wait": "never"}, {"timeout": float("nan")}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            await admin.deactivate(issued.key.id, **wrong)
    assert (await admin.get(issued.key.id)).active


async def test_a_key_found_off_already_is_waited_for_as_well(start: Start, ready_sqlite_url: str) -> None:
    first, second = await start(ready_sqlite_url, serving=False), await start(ready_sqlite_url, serving=False)
    worker = await start(ready_sqlite_url, poll_interval=1.0)
    issued = await first.create("a key")
    await worker._opened().freshness.poll()
    assert (await worker.verify(issued.secret)).valid
    await first.deactivate(issued.key.id, wait="commit")
    receipt = await second.deactivate(issued.key.id)
    assert list(receipt.unchanged) == [issued.key.id]
    assert worker.hit(digest(issued.secret.encode())) is None
    assert (await worker.verify(issued.secret)).outcome is Outcome.DEACTIVATED


async def test_an_edit_that_was_made_already_is_waited_for_as_well(start: Start, ready_sqlite_url: str) -> None:
    """Who was told to do it again must be able to rely on the answer."""
    first, second = await start(ready_sqlite_url, serving=False), await start(ready_sqlite_url, serving=False)
    worker = await start(ready_sqlite_url, poll_interval=1.0)
    issued = await first.create("a key", ["FILE_UPLOAD"])
    await worker._opened().freshness.poll()
    assert (await worker.verify(issued.secret)).valid
    await first.update(issued.key.id, permissions=[], wait="commit")
    await second.update(issued.key.id, permissions=[])
    assert worker.hit(digest(issued.secret.encode())) is None
    verdict = await worker.verify(issued.secret)
    assert verdict.key is not None
    assert verdict.key.permissions == frozenset()


async def test_a_call_cancelled_while_it_waits_has_changed_the_key_and_says_so(
    start: Start, ready_sqlite_url: str
) -> None:
    admin = await start(ready_sqlite_url, serving=False)
    await start(ready_sqlite_url, poll_interval=10.0, max_staleness=20.0)
    issued = await admin.create("a key")
    waiting = asyncio.create_task(admin.deactivate(issued.key.id))
    await switched_off(admin, issued.key.id)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await waiting
    assert any("is committed" in note for note in raised.value.__notes__)


async def test_a_call_cancelled_right_after_the_commit_says_so(
    start: Start, ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its connection is given back: neither in the commit nor in the wait."""
    admin = await start(ready_sqlite_url, serving=False)
    issued = await admin.create("a key")

    async def cancelled_then(*asked: Any) -> None:
        await commit(*asked)
        call.cancel()
        await asyncio.sleep(0)

    monkeypatch.setattr("gatepost.database.database.commit", cancelled_then)
    call = asyncio.create_task(admin.deactivate(issued.key.id))
    with pytest.raises(asyncio.CancelledError) as raised:
        await call
    assert raised.value.__notes__ == [f"gatepost: change {(await admin._database.read_position()).seq} is committed"]
    assert not (await admin.get(issued.key.id)).active


async def test_a_creation_cancelled_while_it_rings_says_that_the_key_is_there(
    start: Start, ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await start(ready_sqlite_url, serving=False)
    ringing, cancelled = asyncio.Event(), asyncio.Event()

    async def ring() -> None:
        ringing.set()
        await cancelled.wait()

    monkeypatch.setattr(admin._database.doorbell, "nudge", ring)
    call = asyncio.create_task(admin.create("a key"))
    await ringing.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await call
    cancelled.set()
    assert raised.value.__notes__ == ["gatepost: change 1 is committed"]
    assert [key.description for key in (await admin.list()).items] == ["a key"]


async def test_a_call_whose_keys_are_closed_right_after_the_commit_says_that_it_is_committed(
    start: Start, ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await start(ready_sqlite_url, serving=False)
    issued = await admin.create("a key")

    async def closed_then(*asked: Any) -> None:
        await commit(*asked)
        monkeypatch.setattr(admin._parts, "current", None)

    monkeypatch.setattr("gatepost.database.database.commit", closed_then)
    opened = admin._parts.current
    with pytest.raises(ConfigurationError, match="not open") as raised:
        await admin.deactivate(issued.key.id)
    assert any("is committed" in note for note in raised.value.__notes__)
    admin._parts.current = opened


async def test_a_call_cancelled_in_the_commit_ends_when_the_commit_has_and_says_what_became_of_it(
    start: Start, ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await start(ready_url, serving=False)
    issued = await admin.create("a key")
    committing = asyncio.Event()
    real = Transaction.commit

    async def slow(transaction: Transaction) -> None:
        committing.set()
        await asyncio.sleep(0.1)
        await real(transaction)

    monkeypatch.setattr(Transaction, "commit", slow)
    call = asyncio.create_task(admin.deactivate(issued.key.id))
    await committing.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await call
    assert any("is committed" in note for note in raised.value.__notes__)
    assert not (await admin.get(issued.key.id)).active


async def test_a_commit_whose_answer_is_lost_is_found_to_have_been_made(
    start: Start, ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await start(ready_url, serving=False)
    issued = await admin.create("a key")
    real = Transaction.commit

    async def lose_answer(transaction: Transaction) -> None:
        await real(transaction)
        raise ConnectionResetError("the answer to COMMIT was lost")

    monkeypatch.setattr(Transaction, "commit", lose_answer)
    receipt = await admin.deactivate(issued.key.id)
    assert list(receipt.changed) == [issued.key.id]
    assert not (await admin.get(issued.key.id)).active


async def test_a_lost_commit_is_asked_for_again_until_a_connection_can_be_had(
    start: Start, ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await start(ready_sqlite_url, serving=False)
    issued = await admin.create("a key")
    real, failures = (
        Transaction.commit,
        iter([UnavailableError("Connecting: it failed"), sqlite3.OperationalError("busy")]),
    )

    async def lose_answer(transaction: Transaction) -> None:
        await real(transaction)
        raise ConnectionResetError("the answer to COMMIT was lost")

    @asynccontextmanager
    async def failing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        for failure in failures:
            raise failure
        async with changing(engine) as connection:
            yield connection

    monkeypatch.setattr(Transaction, "commit", lose_answer)
    monkeypatch.setattr(gatepost.database.commit, "changing", failing)
    assert list((await admin.deactivate(issued.key.id)).changed) == [issued.key.id]
    assert not list(failures)


async def test_a_commit_that_was_lost_is_found_not_to_have_been_made(
    start: Start, ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await start(ready_url, serving=False)
    issued = await admin.create("a key")

    async def lose(_transaction: Transaction) -> None:
        raise ConnectionResetError("COMMIT never arrived")

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "commit", lose)
        with pytest.raises(UnavailableError, match="nothing was changed") as raised:
            await admin.deactivate(issued.key.id)
    assert not isinstance(raised.value, UncertainCommitError)
    assert (await admin.get(issued.key.id)).active
    await admin.deactivate(issued.key.id)
    assert not (await admin.get(issued.key.id)).active


async def test_a_commit_that_nobody_can_tell_of_is_an_error_that_says_so(
    start: Start, ready_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(ready_postgres_url)
    near = await start(ready_postgres_url, serving=False)
    issued = await near.create("a key")
    async with proxied(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}") as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port, query={}).render_as_string(hide_password=False)
        far = await start(through, serving=False, read_timeout=60.0)
        real = Transaction.commit

        async def commit_into_silence(transaction: Transaction) -> None:
            proxy.stall()
            far._database._timeout = transaction._timeout = 0.5  # from here on it only waits for what never comes
            await real(transaction)

        monkeypatch.setattr(Transaction, "commit", commit_into_silence)
        with pytest.raises(UncertainCommitError, match="do it again"):
            await far.deactivate(issued.key.id)
        proxy.cut()
        proxy.flow()


async def test_a_worker_whose_row_was_removed_believes_nothing_until_it_has_joined_anew(
    start: Start, ready_url: str
) -> None:
    admin, worker = await start(ready_url, serving=False), await start(ready_url, poll_interval=0.5)
    issued = await admin.create("a key")
    await worker._opened().freshness.poll()
    assert (await worker.verify(issued.secret)).valid
    before = name_of(worker)
    async with admin._database.engine.connect() as connection:
        await connection.execute(text("DELETE FROM gatepost_workers"))
        if connection.dialect.name == "sqlite":
            await connection.commit()
    freshness = worker._opened().freshness
    await freshness.poll()
    assert worker.hit(digest(issued.secret.encode())) is None
    assert not freshness.holds()
    await freshness.poll()
    assert freshness.holds()
    assert name_of(worker) != before


async def test_an_acknowledgement_of_another_past_of_the_database_does_not_count(start: Start, ready_url: str) -> None:
    admin, worker = await start(ready_url, serving=False), await start(ready_url)
    await admin.create("a key")
    position = await admin._database.read_position()
    now = datetime.now(UTC)
    rows = admin._database.workers
    assert not await rows.renew(name_of(worker), position.seq, position.nonce ^ 1, now)
    assert not await rows.renew(name_of(worker), position.seq + 1, position.nonce, now)
    assert await rows.renew(name_of(worker), position.seq, position.nonce, now)


async def test_the_row_of_a_dead_worker_is_removed_by_another_but_not_while_its_lease_may_hold(
    start: Start, ready_url: str
) -> None:
    alive = await start(ready_url, max_staleness=1.5)  # it looks for the dead the sooner
    dead = await start(ready_url, max_staleness=1.5)
    freshness = dead._opened().freshness
    begin = time.monotonic()
    position = await dead._database.read_position()
    assert await freshness._membership.renew(position.seq, position.nonce, freshness.database_now())
    dead_id = await cut_off(dead)
    until = freshness.until
    while dead_id in await rows_of(alive):  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.02)
    assert alive._opened().freshness._clock() > until
    assert time.monotonic() - begin >= 3.0, "removed before twice its max_staleness had gone by"
    assert await rows_of(alive) == {name_of(alive)}


async def test_a_database_that_cannot_be_written_to_is_served_from_without_remembering(
    start: Start, ready_postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    admin = await start(ready_postgres_url, serving=False)
    issued = await admin.create("a key")
    name = make_url(ready_postgres_url).database
    await set_read_only(admin, name, "on")
    standby = await start_read_only(ready_postgres_url)
    freshness = standby._opened().freshness
    try:
        assert (await standby.verify(issued.secret)).valid
        assert standby.hit(digest(issued.secret.encode())) is None
        await asyncio.sleep(0.5)  # some polls
        assert caplog.text.count("remembers nothing") == 1
        with pytest.raises(UnavailableError, match="nothing was changed"):
            await standby.deactivate(issued.key.id)
        for expected in (1, 2):  # told again once it could write in between
            assert caplog.text.count("remembers nothing") == expected
            await set_read_only(admin, name, "off")
            # Until it believes, and a whole poll has gone well: this test may be between a poll's reads and writes.
            while freshness._told_of_membership or not freshness.holds():  # noqa: ASYNC110 - time passes
                await asyncio.sleep(0.02)
            await set_read_only(admin, name, "on")
            while freshness.holds():  # noqa: ASYNC110 - time passes
                await asyncio.sleep(0.02)
    finally:
        await standby.close()


async def set_read_only(admin: APIKeys, name: str | None, value: str) -> None:
    """For connections made from now on; those of others are ended."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with admin._database.engine.connect() as connection:
        await connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}"))
        await connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))


async def start_read_only(url: str) -> APIKeys:
    """Open keys over a database that refuses to be written to."""
    keys = APIKeys(url, poll_interval=0.1, max_staleness=2.0)
    await keys.open()
    await keys.serve()
    return keys


async def test_a_forked_child_has_nothing_of_its_parents_lease(start: Start, ready_sqlite_url: str) -> None:
    worker = await start(ready_sqlite_url)
    issued = await worker.create("a key")
    assert (await worker.verify(issued.secret)).valid
    assert worker.hit(digest(issued.secret.encode())) is not None
    child = os.fork()
    if child == 0:
        forgot = worker.hit(digest(issued.secret.encode())) is None and not worker.is_open
        os._exit(0 if forgot else 1)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert worker.hit(digest(issued.secret.encode())) is not None


async def test_waits_that_run_at_the_same_time_share_their_looks(start: Start, ready_sqlite_url: str) -> None:
    admin = await start(ready_sqlite_url, serving=False)
    worker = await start(ready_sqlite_url, poll_interval=0.5)
    made = [await admin.create(f"key {n}") for n in range(5)]
    looks = 0
    workers = admin._database.workers

    def counted(read: Callable[[], Any]) -> Callable[[], Any]:
        async def read_and_count() -> Any:
            nonlocal looks
            looks += 1
            return await read()

        return read_and_count

    for name in ("read_all", "read_acked"):
        setattr(workers, name, counted(getattr(workers, name)))
    receipts = await asyncio.gather(*(admin.deactivate(issued.key.id) for issued in made))
    assert all(receipt.propagation.complete for receipt in receipts)
    for issued in made:
        assert (await worker.verify(issued.secret)).outcome is Outcome.DEACTIVATED
    assert looks < 200


async def test_a_database_that_fails_while_workers_are_waited_for_is_asked_again(
    start: Start, ready_sqlite_url: str
) -> None:
    admin, _worker = await start(ready_sqlite_url, serving=False), await start(ready_sqlite_url)
    issued = await admin.create("a key")
    real = admin._database.workers.read_all
    failures = 3

    async def failing() -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise UnavailableError("gone for a moment")
        return await real()

    admin._database.workers.read_all = failing
    receipt = await admin.deactivate(issued.key.id)
    assert receipt.propagation.complete
    assert failures == 0


async def test_a_wait_whose_leases_have_run_out_ends_though_the_database_is_gone() -> None:
    row = WorkerRow(Worker("far", "far"), 0, 0.2, datetime.now(UTC), 1)
    looks = 0

    class Refusing:
        """Tells of the workers once, and is gone then."""

        @property
        def workers(self) -> "Refusing":
            return self

        async def read_all(self) -> list[WorkerRow]:
            return [row]

        async def read_acked(self) -> dict[str, int]:
            nonlocal looks
            looks += 1
            raise UnavailableError("gone")

    propagations = Propagations(cast("Any", Refusing()))
    spread = Spread(1, boot_clock(), datetime.now(UTC))
    async with asyncio.timeout(300):
        told = await propagations.follow(spread, None, until=None)
    assert told.complete
    assert told.expired == (row.worker,)
    assert 0 < looks < 50
