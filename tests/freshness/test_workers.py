"""Several workers over one database: who may believe what, and for how long."""

import asyncio
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import make_url

from gatepost import APIKeys, Outcome, UnavailableError
from gatepost.base.record import Absent, decode
from gatepost.base.secret import digest
from gatepost.connections.connections import Connections
from gatepost.database import Database, Reading
from gatepost.database.doorbell import Doorbell
from gatepost.freshness.freshness import Freshness
from gatepost.lookup.memory import MemoryTier
from tests.freshness.conftest import MakeWorker, counted_statements, settled
from tests.servers.proxy import Proxy, proxied


async def outcome_becomes(keys: APIKeys, secret: str, wanted: Outcome) -> None:
    """Wait until `verify` answers `wanted`."""
    while (await keys.verify(secret)).outcome is not wanted:  # noqa: ASYNC110 - asks as clients would
        await asyncio.sleep(0.005)


async def test_another_worker_refuses_a_deactivated_key_after_its_next_poll(worker: MakeWorker) -> None:
    here, there = await worker(), await worker()
    issued = await here.create("a key")
    for keys in (here, there):
        assert (await keys.verify(issued.secret)).valid
    await here.deactivate(issued.key.id)
    assert (await there.verify(issued.secret)).outcome is Outcome.DEACTIVATED
    assert there.hit(digest(issued.secret.encode())) is None
    await there.activate(issued.key.id, wait="everywhere")
    assert (await here.verify(issued.secret)).outcome is Outcome.VALID


async def test_a_nudge_over_redis_makes_other_workers_poll_at_once(
    worker: MakeWorker, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.redis.doorbell.BEAT_SECONDS", 3000.0)  # each new subscription is followed by a poll
    slow = {"poll_interval": 1000.0, "max_staleness": 3000.0, "redis_timeout": 10.0, "memory_ttl": 3000.0}
    here, there = await worker(redis_url, **slow), await worker(redis_url, **slow)
    issued = await here.create("a key")
    async with Redis.from_url(redis_url) as client:
        (channel,) = {keys._opened().redis._prefix + b"nudge" for keys in (here, there)}
        while (await client.pubsub_numsub(channel))[0][1] < 2:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.005)
    for keys in (here, there):
        assert (await keys.verify(issued.secret)).valid
    await here.deactivate(issued.key.id, wait="commit")
    await outcome_becomes(there, issued.secret, Outcome.DEACTIVATED)


async def test_a_change_of_one_key_leaves_others_in_memory(worker: MakeWorker) -> None:
    here, there = await worker(), await worker()
    steady, changing = await here.create("steady"), await here.create("changing")
    await there.verify(steady.secret)
    await there.verify(changing.secret)
    await here.deactivate(changing.key.id)
    await there._opened().freshness.poll()
    assert there.hit(digest(changing.secret.encode())) is None
    assert there.hit(digest(steady.secret.encode())) is not None


class HeldDatabase(Database):
    """The real database, whose answers to lookups can be held back after they were read."""

    def __init__(self, real: Database) -> None:
        super().__init__(real._given, timeout=5)
        self._engine = real.engine
        self.read = asyncio.Event()
        self.release = asyncio.Event()
        self.reads = 0

    async def read_records(self, digests: Sequence[bytes]) -> Reading:
        """Read at once; answer the first call when released."""
        self.reads += 1
        first = self.reads == 1
        reading = await super().read_records(digests)
        if first:
            self.read.set()
            await self.release.wait()
        return reading


async def held_read(keys: APIKeys, secret: str) -> tuple[HeldDatabase, "asyncio.Task[Any]"]:
    """A request of `keys` whose read of the database is done and not yet answered."""
    held = HeldDatabase(keys._database)
    keys._opened().lookup._database = held
    request = asyncio.create_task(keys.verify(secret))
    await held.read.wait()
    return held, request


async def test_a_request_does_not_join_a_read_from_before_a_change_that_its_worker_knows(worker: MakeWorker) -> None:
    here, there = await worker(), await worker()
    issued = await here.create("a key")
    held, _earlier = await held_read(there, issued.secret)
    await here.deactivate(issued.key.id, wait="commit")
    await there._opened().freshness.poll()

    later = asyncio.create_task(there.verify(issued.secret))
    await asyncio.sleep(0.02)
    held.release.set()

    assert (await later).outcome is Outcome.DEACTIVATED
    assert held.reads == 2
    await _earlier
    assert there.hit(digest(issued.secret.encode())) is None, "the old reading got into memory"
    assert (await there.verify(issued.secret)).outcome is Outcome.DEACTIVATED


async def test_a_read_from_before_a_known_change_does_not_get_into_memory(worker: MakeWorker) -> None:
    here, there = await worker(), await worker()
    issued = await here.create("a key")
    held, earlier = await held_read(there, issued.secret)
    await here.deactivate(issued.key.id, wait="commit")
    await there._opened().freshness.poll()
    held.release.set()
    assert (await earlier).valid, "it began before the change"
    assert there.hit(digest(issued.secret.encode())) is None
    assert (await there.verify(issued.secret)).outcome is Outcome.DEACTIVATED


async def test_a_request_that_joined_a_read_does_not_believe_it_once_the_lease_has_run_out(worker: MakeWorker) -> None:
    here, there = await worker(), await worker(poll_interval=100.0, max_staleness=300.0)
    issued = await here.create("a key")
    held, earlier = await held_read(there, issued.secret)
    freshness = there._opened().freshness
    freshness._task.cancel()  # cut off: it polls no more
    await freshness.poll()
    await here.deactivate(issued.key.id, wait="commit")
    joined = asyncio.create_task(there.verify(issued.secret))
    await asyncio.sleep(0.02)
    assert freshness.holds()
    freshness.until = freshness._clock()  # now it has run out
    assert not freshness.holds()
    held.release.set()

    assert (await joined).outcome is Outcome.DEACTIVATED
    await earlier
    assert (await there.verify(issued.secret)).outcome is Outcome.DEACTIVATED


async def test_a_request_that_joined_a_read_checks_it_when_it_is_answered(worker: MakeWorker) -> None:
    here, there = await worker(), await worker()
    issued = await here.create("a key")
    held, _earlier = await held_read(there, issued.secret)
    joined = asyncio.create_task(there.verify(issued.secret))
    await asyncio.sleep(0.02)
    await here.deactivate(issued.key.id, wait="commit")
    await there._opened().freshness.poll()
    held.release.set()
    assert (await joined).outcome is Outcome.DEACTIVATED
    await _earlier


@pytest.fixture
async def cut_off(ready_postgres_url: str) -> Any:
    """A worker over PostgreSQL through a proxy that can stall: (keys, proxy, keys that are not cut off)."""
    url = make_url(ready_postgres_url)
    async with proxied(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}") as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port, query={}).render_as_string(hide_password=False)
        near = APIKeys(ready_postgres_url)
        far = APIKeys(through, poll_interval=0.1, max_staleness=3.0, read_timeout=3.0)
        async with near, far:
            await far.serve()
            yield far, proxy, near
            proxy.flow()


async def test_a_worker_cut_off_from_the_database_serves_until_max_staleness_and_then_answers_unavailable(
    cut_off: tuple[APIKeys, Proxy, APIKeys],
) -> None:
    far, proxy, near = cut_off
    issued, unseen = await near.create("seen"), await near.create("never seen")
    assert (await far.verify(issued.secret)).valid
    freshness, clock = far._opened().freshness, far._opened().freshness._clock
    await freshness.poll()
    proxy.stall()
    stalled = clock()
    assert (await far.verify(issued.secret)).valid
    await near.deactivate(issued.key.id, wait="commit")
    seen: set[Outcome] = set()
    while True:
        asked = clock()
        try:
            seen.add((await far.verify(issued.secret)).outcome)
        except UnavailableError:
            assert clock() >= freshness.until, "the lease ended early"
            break
        assert asked < stalled + 3.0, "believed past max_staleness"
        await asyncio.sleep(0.02)
    for _ in range(20):
        with pytest.raises(UnavailableError):
            await far.verify(issued.secret)
    assert seen <= {Outcome.VALID}
    assert far.hit(digest(issued.secret.encode())) is None
    with pytest.raises(UnavailableError):
        await far.verify(unseen.secret)

    proxy.cut()
    proxy.flow()
    while True:
        try:
            assert (await far.verify(issued.secret)).outcome is Outcome.DEACTIVATED
            break
        except UnavailableError:
            await asyncio.sleep(0.05)
    await far._opened().freshness.poll()
    assert (await far.verify(unseen.secret)).valid


async def test_nobody_waits_for_a_database_that_let_others_wait_and_it_is_used_again_once_it_answers(
    cut_off: tuple[APIKeys, Proxy, APIKeys],
) -> None:
    far, proxy, near = cut_off
    unseen = [await near.create(f"never seen {n}") for n in range(30)]
    proxy.stall()
    waited = 0
    for issued in unseen:
        for fresh in (False, True):
            with pytest.raises(UnavailableError) as raised:
                await far.verify(issued.secret, fresh=fresh)
            waited += "being probed" not in str(raised.value)
    assert waited == 1, "only the first may wait for read_timeout"
    for interrupt in (proxy.flow, proxy.cut):
        interrupt()
    proxy.flow()
    while True:
        try:
            assert (await far.verify(unseen[0].secret)).valid
            break
        except UnavailableError:
            await asyncio.sleep(0.02)


async def test_a_database_that_refuses_at_once_is_asked_by_every_request(
    cut_off: tuple[APIKeys, Proxy, APIKeys], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.lookup.lookup.HANGING_SECONDS", 60.0)  # however long a slow machine takes to refuse
    far, proxy, near = cut_off
    issued = await near.create("never seen")
    proxy.cut()
    for _ in range(10):
        with pytest.raises(UnavailableError) as raised:
            await far.verify(issued.secret)
        assert "being probed" not in str(raised.value)
    proxy.flow()
    assert (await far.verify(issued.secret)).valid


async def test_a_poll_that_succeeds_ends_the_distrust_of_a_database_whose_probe_is_still_waiting(
    cut_off: tuple[APIKeys, Proxy, APIKeys],
) -> None:
    far, proxy, near = cut_off
    issued = await near.create("never seen")
    proxy.stall()
    with pytest.raises(UnavailableError):
        await far.verify(issued.secret)
    lookup = far._opened().lookup

    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    assert lookup._probing is not None
    lookup._probing.cancel()
    lookup._probing = asyncio.create_task(wait_for_ever())
    with pytest.raises(UnavailableError, match="probed"):
        await far.verify(issued.secret)
    proxy.flow()
    while True:
        try:
            await far._opened().freshness.poll()
            break
        except UnavailableError:
            await asyncio.sleep(0.05)
    assert (await far.verify(issued.secret)).valid


async def test_keys_closed_while_the_database_hangs_leave_no_task_behind(
    cut_off: tuple[APIKeys, Proxy, APIKeys],
) -> None:
    far, proxy, near = cut_off
    issued = await near.create("never seen")
    proxy.stall()
    asking = asyncio.create_task(far.verify(issued.secret))
    await asyncio.sleep(0.1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(far.close(), 0.01)
    with pytest.raises(UnavailableError):
        await asking
    names = {"Lookup._probe", "Freshness._keep_polling"}
    while names & {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}:  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # they end once their statement has timed out
    proxy.flow()


async def test_a_request_in_a_process_that_is_closing_before_its_first_poll_is_not_judged_by_a_clock_it_does_not_know(
    worker: MakeWorker, ready_sqlite_url: str
) -> None:
    await worker()
    beginner = APIKeys(ready_sqlite_url)
    async with beginner:
        issued = await beginner.create("a key")
        await beginner._opened().freshness.stop()
        with pytest.raises(UnavailableError, match="closed"):
            await beginner.verify(issued.secret)


async def test_a_change_that_cannot_be_committed_is_a_clear_error_and_changes_nothing(
    cut_off: tuple[APIKeys, Proxy, APIKeys],
) -> None:
    far, proxy, near = cut_off
    issued = await near.create("a key")
    proxy.cut()
    with pytest.raises(UnavailableError, match="nothing was changed"):
        await far.deactivate(issued.key.id)
    assert (await near.get(issued.key.id)).active


async def backed_up(keys: APIKeys, folder: Path) -> Path:
    """A copy of the SQLite database as it is now."""
    backup = folder / "backup.db"
    async with keys._database.engine.connect() as connection:
        await connection.exec_driver_sql(f"VACUUM INTO '{backup}'")
    return backup


async def put_back(keys: APIKeys, backup: Path) -> None:
    """Replace the database by the copy, under the feet of the worker."""
    source = backup.with_name("keys.db")
    async with keys._opened().freshness._polling:  # no connection is in use meanwhile
        await keys._database.doorbell.close()
        await keys._database.engine.dispose()
        for tail in ("-wal", "-shm"):
            source.with_name(source.name + tail).unlink(missing_ok=True)
        shutil.copy(backup, source)


async def test_a_database_put_back_to_an_older_state_is_noticed_loudly_and_everything_is_read_again(
    worker: MakeWorker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = await worker(poll_interval=2.0, max_staleness=20.0)
    kept = await keys.create("kept")
    backup = await backed_up(keys, tmp_path)
    lost = await keys.create("lost")
    assert (await keys.verify(kept.secret)).valid
    assert (await keys.verify(lost.secret)).valid
    await put_back(keys, backup)

    with caplog.at_level(logging.ERROR):
        await keys._opened().freshness.poll()

    assert "restored" in caplog.text
    assert keys.hit(digest(kept.secret.encode())) is None
    assert (await keys.verify(lost.secret)).outcome is Outcome.INVALID
    assert (await keys.verify(kept.secret)).valid


async def test_values_of_a_lost_timeline_are_not_believed_after_a_change_in_the_new_one(
    worker: MakeWorker, redis_url: str, tmp_path: Path
) -> None:
    keys = await worker(redis_url, poll_interval=2.0, max_staleness=20.0)
    kept = await keys.create("kept")
    backup = await backed_up(keys, tmp_path)
    for n in range(4):
        await keys.create(f"lost {n}")
    assert (await keys.verify(kept.secret)).valid
    await settled(keys)
    async with Redis.from_url(redis_url) as client:
        (name,) = await client.keys("*")
        value = await client.get(name)
        assert value is not None
        await put_back(keys, backup)
        await keys._opened().freshness.poll()
        await keys.deactivate(kept.key.id)
        await settled(keys)
        await client.set(name, value)  # as of seq 5 of a timeline that is no more; the key's last change has seq 2
        assert (await keys.verify(kept.secret)).outcome is Outcome.DEACTIVATED


async def test_a_worker_that_noticed_a_restored_database_remembers_again_once_it_is_invalidated(
    worker: MakeWorker, tmp_path: Path
) -> None:
    keys = await worker(poll_interval=2.0, max_staleness=20.0)
    kept = await keys.create("kept")
    backup = await backed_up(keys, tmp_path)
    for n in range(4):
        await keys.create(f"lost {n}")
    await put_back(keys, backup)
    await keys._opened().freshness.poll()
    for _ in range(2):
        assert (await keys.verify(kept.secret)).valid
        assert keys.hit(digest(kept.secret.encode())) is None
    assert (await keys.invalidate()).complete
    assert (await keys.verify(kept.secret)).valid
    assert keys.hit(digest(kept.secret.encode())) is not None


async def test_what_a_restored_database_lost_is_not_believed_after_very_many_changes_in_the_new_one(
    worker: MakeWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = await worker(poll_interval=2.0, max_staleness=20.0)
    kept = [await keys.create(f"kept {n}") for n in range(4)]
    backup = await backed_up(keys, tmp_path)
    for n in range(20):
        await keys.create(f"lost {n}")
    await put_back(keys, backup)
    freshness = keys._opened().freshness
    await freshness.poll()
    lost = Absent(as_of=24, until=freshness.until)
    digest = sha256(kept[0].secret.encode()).digest()
    assert not freshness.covers(digest, lost)
    monkeypatch.setattr("gatepost.freshness.freshness.FLOORS_MAX", 2)
    await keys.deactivate([issued.key.id for issued in kept])
    assert freshness.floors == 0, "there were too many"
    assert not freshness.covers(digest, lost)


async def test_nothing_read_before_an_invalidation_is_believed_however_often_the_same_backup_is_restored(
    worker: MakeWorker, ready_sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    keys = await worker(redis_url, poll_interval=2.0, max_staleness=20.0)
    issued = await keys.create("off in the backup")
    await keys.deactivate(issued.key.id)
    backup = await backed_up(keys, tmp_path)
    for n in range(2):
        await keys.activate(issued.key.id)
        for m in range(5 - 2 * n):
            await keys.create(f"lost {m}")
        assert (await keys.verify(issued.secret)).valid
        await settled(keys)
        await put_back(keys, backup)
        await keys.invalidate()
        async with APIKeys(ready_sqlite_url, redis_url, redis_timeout=0.5) as newcomer:
            for each in (keys, newcomer):
                for _ in range(2):
                    assert (await each.verify(issued.secret)).outcome is Outcome.DEACTIVATED


@pytest.mark.parametrize("waiting", ["everywhere", "commit"])
async def test_an_invalidation_empties_every_workers_memory(ready_url: str, waiting: Any) -> None:
    here, there = (APIKeys(ready_url, poll_interval=0.05, max_staleness=300.0) for _ in range(2))
    async with here, there:
        issued = await here.create("a key")
        assert (await there.verify(issued.secret)).valid
        assert there.hit(digest(issued.secret.encode())) is not None
        told = await here.invalidate(wait=waiting, actor="me")
        if waiting == "everywhere":
            assert told.complete
            assert there.hit(digest(issued.secret.encode())) is None
        await there._opened().freshness.poll()
        with counted_statements(there) as counts:
            for _ in range(10):
                await there._opened().freshness.poll()
                assert (await there.verify(issued.secret)).valid
        assert counts["records"] == 1
        await here.deactivate(issued.key.id)
        assert (await there.verify(issued.secret)).outcome is Outcome.DEACTIVATED


async def test_a_database_whose_lost_changes_were_made_up_for_by_others_is_noticed(
    worker: MakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    keys = await worker(poll_interval=2.0, max_staleness=20.0)
    issued = await keys.create("a key")
    await keys.create("another")
    assert (await keys.verify(issued.secret)).valid
    async with keys._database.engine.begin() as connection:  # as if seq 2 had been lost and made anew, then 3
        await connection.exec_driver_sql("UPDATE gatepost_events SET nonce = nonce + 1 WHERE seq = 2")
        await connection.exec_driver_sql("UPDATE gatepost_counter SET seq = 3, nonce = 7")
        await connection.exec_driver_sql(
            "INSERT INTO gatepost_events (seq, n, nonce, digest, kind, at) "
            "VALUES (3, 0, 7, zeroblob(32), 'other', '2026-01-01 00:00:00')"
        )
    with caplog.at_level(logging.ERROR):
        await keys._opened().freshness.poll()
    assert "does not continue" in caplog.text
    assert keys.hit(digest(issued.secret.encode())) is None


async def test_a_gap_in_the_events_is_noticed(worker: MakeWorker, caplog: pytest.LogCaptureFixture) -> None:
    here, there = await worker(poll_interval=2.0, max_staleness=20.0), await worker()
    issued = await there.create("a key")
    await here._opened().freshness.poll()
    assert (await here.verify(issued.secret)).valid
    await there.deactivate(issued.key.id, wait="commit")
    await there.create("another")
    async with there._database.engine.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM gatepost_events WHERE seq = 2")
    with caplog.at_level(logging.ERROR):
        await here._opened().freshness.poll()
    assert "does not continue" in caplog.text
    assert (await here.verify(issued.secret)).outcome is Outcome.DEACTIVATED


@pytest.mark.parametrize("limit", ["EVENTS_MAX", "FLOORS_MAX"])
async def test_more_changes_than_are_kept_empty_memory_instead_of_being_missed(
    worker: MakeWorker, redis_url: str, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    here, there = await worker(redis_url, poll_interval=2.0, max_staleness=20.0), await worker()
    made = [await there.create(f"key {n}") for n in range(6)]
    await here._opened().freshness.poll()
    for issued in made:
        assert (await here.verify(issued.secret)).valid
    await settled(here)
    monkeypatch.setattr(f"gatepost.freshness.freshness.{limit}", 3)
    await there.deactivate([issued.key.id for issued in made[:5]], wait="commit")
    await here._opened().freshness.poll()
    assert here.hit(digest(made[5].secret.encode())) is None
    for issued in made[:5]:
        assert (await here.verify(issued.secret)).outcome is Outcome.DEACTIVATED
    with counted_statements(here) as counts:
        assert (await here.verify(made[5].secret)).valid
    assert counts["records"] == 1, "a value from before the general floor was believed"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_the_lease_counts_from_before_the_poll_was_sent_and_ends_in_a_paused_worker(worker: MakeWorker) -> None:
    keys: APIKeys = await worker()
    clock = Clock()

    class SlowDatabase(HeldDatabase):
        async def read_position(self, worker_id: str | None = None) -> Any:
            position = await super().read_position(worker_id)
            clock.now += 3.0
            return position

    freshness = Freshness(
        SlowDatabase(keys._database),
        MemoryTier(10),
        Connections(),
        Doorbell(),
        max_staleness=10.0,
        poll_interval=1.0,
        clock=clock,
    )
    await freshness.poll()
    row: Mapping[str, Any] | Sequence[Any] = ("id", None, "d", "", True, 0.0, 0.0, *[None] * 10)
    found = decode(row, 0, 1e9)  # type: ignore[arg-type]
    assert freshness.until == 1010.0
    assert freshness.covers(b"d", found)
    clock.now = 1009.9
    assert freshness.holds()
    clock.now = 1010.0
    assert not freshness.holds()
    assert not freshness.covers(b"d", found)


async def test_the_databases_clock_is_learnt_at_polls(worker: MakeWorker) -> None:
    keys: APIKeys = await worker()
    freshness = keys._opened().freshness
    begun = time.monotonic()
    await freshness.poll()
    before = freshness.database_now()
    position = await keys._database.read_position()
    after = freshness.database_now()
    took = time.monotonic() - begun + 0.002  # its clock is learnt as exactly as it answers soon, and tells milliseconds
    assert before - took <= position.now <= after + took
    assert time.time() - took <= position.now <= time.time() + took, "SQLite's clock is this machine's"
