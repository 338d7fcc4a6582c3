"""What `keys.status()` tells, of everything that can be down."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from sqlalchemy import text
from starlette.types import Receive, Scope, Send

import gatepost
from gatepost import APIKeyMiddleware, APIKeys, Catalogue, Quota, Rate, Slots
from gatepost.base.secret import digest
from gatepost.limits import Bucket
from tests.freshness.conftest import counted_statements
from tests.servers.redis import RedisServer


async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Never called."""


def codes(status: gatepost.Status) -> set[str]:
    return {finding.code for finding in status.findings if finding.severity != "note"}


async def test_a_serving_worker_tells_of_lease_lag_and_itself(database_url: str) -> None:
    keys = APIKeys(database_url, poll_interval=0.1, max_staleness=300)
    await keys.create_schema()
    async with keys:
        issued = await keys.create("x")
        assert (await keys.verify(issued.secret)).valid
        assert keys.hit(digest(issued.secret.encode())) is not None
        status = await keys.status()
    assert status.ready
    assert codes(status) == set()
    assert status.version == gatepost.__version__
    assert (status.database.reachable, status.database.fits, status.database.seq) == (True, True, 1)
    assert status.database.seconds is not None
    assert status.database.seconds > 0
    assert abs(status.database.clock_ahead or 0) < 2
    serving = status.serving
    assert serving is not None
    assert (serving.applied_seq, serving.lag, serving.lease_holds) == (1, 0, True)
    assert 0 < serving.lease_seconds <= 300
    assert 0 <= serving.polled_ago < 300
    assert status.workers is not None
    (worker,) = status.workers
    assert (worker.is_this, worker.state, worker.behind, worker.acked_seq) == (True, "up to date", 0, 1)
    assert status.memory is not None
    assert (status.memory.keys, status.memory.keys_max) == (1, 100_000)
    assert status.lookups is not None
    assert (status.lookups.lookups, status.lookups.from_database) == (1, 1), "a memory hit is not counted"
    assert (status.lookups.reads_digests, status.lookups.reads_found) == (1, 1)
    assert issued.secret not in repr(status)
    assert orjson.loads(orjson.dumps(status.as_dict()))["workers"][0]["state"] == "up to date"


async def test_a_process_that_does_not_serve_and_closed_keys_tell_of_the_others(sqlite_url: str) -> None:
    async with APIKeys(sqlite_url) as worker:
        await worker.serve()
        closed = APIKeys(sqlite_url)
        for_shell = await closed.status()
        assert not closed.is_open
        async with closed:
            opened = await closed.status()
    for status in (for_shell, opened):
        assert (status.ready, status.serving, codes(status)) == (True, None, set())
        assert status.workers is not None
        assert [each.is_this for each in status.workers] == [False]
    assert (for_shell.is_open, opened.is_open) == (False, True)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_a_database_that_is_down_is_reported_without_its_password(scheme: str) -> None:
    status = await APIKeys(f"{scheme}://someone:hunter2@127.0.0.1:1/x").status()
    assert (status.ready, status.database.reachable, codes(status)) == (False, False, {"database_down"})
    assert "hunter" not in repr(status)


async def test_missing_and_foreign_tables_are_a_finding_with_the_command(postgres_url: str) -> None:
    keys = APIKeys(postgres_url)
    missing = await keys.status()
    assert (missing.ready, missing.database.revision, codes(missing)) == (False, None, {"schema"})
    assert "gatepost db upgrade" in missing.findings[0].remedy
    await keys.create_schema()
    async with keys:
        async with keys._database.engine.connect() as connection:
            await connection.execute(text("UPDATE gatepost_version SET version_num = '0001'"))
        old = await keys.status()
    assert codes(old) == {"schema"}
    assert "0001" in old.findings[0].sentence


async def test_a_redis_that_is_down_is_a_warning_with_its_reason(sqlite_url: str, redis_server: RedisServer) -> None:
    redis_server.start()
    async with APIKeys(sqlite_url, redis_server.url, redis_timeout=60) as keys:
        up = await keys.status()
        assert up.redis.state == "reachable"
        assert up.redis.seconds is not None
        redis_server.stop()
        down = await keys.status()
        assert (down.redis.state, codes(down), down.ready) == ("unreachable", {"redis_down"}, True)
        await keys.create("x")  # its nudge finds out
        skipped = await keys.status()
        assert skipped.redis.state == "skipped"
        assert "Error" in (skipped.redis.reason or "")
    redis_server.start()
    shell = await APIKeys(sqlite_url, redis_server.url, redis_timeout=60).status()
    assert shell.redis.state == "reachable"


async def test_what_redis_held_is_counted(sqlite_url: str, redis_url: str) -> None:
    async with APIKeys(sqlite_url, redis_url, memory_entries=0, redis_timeout=60) as keys:
        issued = await keys.create("x")
        await keys.verify(issued.secret)
        async with Redis.from_url(redis_url) as client:
            while not await client.dbsize():
                pass
        await keys.verify(issued.secret)
        counts = (await keys.status()).lookups
    assert counts is not None
    assert (counts.lookups, counts.from_redis, counts.from_database) == (2, 1, 1)
    assert (counts.gets, counts.redis_hit_rate) == (2, 0.5)


async def test_silent_and_late_workers_are_findings(sqlite_url: str) -> None:
    async with APIKeys(sqlite_url) as worker:
        await worker.serve()
        for seq in range(3):
            await worker.create(f"key {seq}")
        await worker._opened().freshness.stop()
        rows = worker._database.workers
        now = (await worker._database.read_position()).now
        moment = datetime.fromtimestamp(now, UTC)
        for name, ago in (("late", 8), ("silent", 7200)):
            await rows.join(gatepost.Worker(name * 4, name), 10.0, moment - timedelta(seconds=ago))
        async with worker._database.engine.begin() as connection:
            await connection.execute(text("UPDATE gatepost_workers SET acked_seq = 1"))
        status = await APIKeys(sqlite_url).status()
    assert [finding.code for finding in status.findings if finding.severity == "warning"] == [
        "worker_behind",
        "worker_silent",
    ]
    assert "2 hours" in " ".join(finding.sentence for finding in status.findings)
    assert "2 changes" in " ".join(finding.sentence for finding in status.findings)
    assert status.ready


async def split(keys: APIKeys) -> bool:
    """Whether it is told that each worker has its part of a limit."""
    return "limits_split" in {finding.code for finding in (await keys.status()).findings}


async def test_limits_that_several_workers_have_parts_of_are_told_of(ready_url: str, redis_url: str) -> None:
    async with APIKeys(ready_url) as one, APIKeys(ready_url) as another:
        await one.serve()
        issued = await one.create("a key", limits=[Slots(3)])
        assert not await split(one), "the only worker counts exactly"
        await another.serve()
        assert await split(one)
        assert await split(APIKeys(ready_url)), "also at a shell"
        assert not await split(APIKeys(ready_url, redis_url)), "Redis counts for all"
        await one.update(issued.key.id, limits=[Quota(3, per="day", name="rate")])
        assert not await split(one), "quotas hold everywhere"
        APIKeyMiddleware(app, one, limits={"all": [Quota(3, per="day")]})
        assert not await split(one)
        APIKeyMiddleware(app, one, limits={"all": [Rate(3, per=1)]})
        assert await split(one)
        assert await split(one.alike()), "as doctor --app asks"
        assert not await split(another)


async def test_a_look_takes_at_most_ten_round_trips_where_no_pooler_is(ready_url: str) -> None:
    async with APIKeys(ready_url) as one, APIKeys(ready_url) as another, APIKeys(ready_url) as keys:
        await one.serve()
        await another.serve()
        with counted_statements(keys) as counts:  # they do not serve: nothing is asked beside it
            assert (await keys.status()).database.pooler == "none"
    assert sum(counts.values()) == (10 if ready_url.startswith(("postgresql", "sqlite")) else 9)


async def test_a_redis_that_refuses_to_count_is_a_warning_with_its_reason(
    ready_sqlite_url: str, redis_server: RedisServer
) -> None:
    redis_server.start()
    async with APIKeys(ready_sqlite_url, redis_server.url, redis_timeout=60) as keys:
        await keys.serve()
        asked = [(Bucket("a/bucket", Rate(3, per=1)), 1)]
        with SyncRedis.from_url(redis_server.url) as client:
            client.config_set("maxmemory", 1)
            try:
                await keys.limiter.take(asked)
                status = await keys.status()
            finally:
                client.config_set("maxmemory", 0)
        (finding,) = [each for each in status.findings if each.code == "redis_limits"]
        assert finding.severity == "warning"
        assert "maxmemory" in finding.sentence
        await keys.limiter.take(asked)
        assert (await keys.status()).redis.limits is None


class Fewer(Catalogue):
    """What an app declared first."""

    FILE_READ = "read files"


class More(Fewer):
    """And what it declares by now."""

    FILE_WRITE = "write files"


async def test_a_shorthand_that_stands_for_more_by_now_is_told_of_and_grants_nothing(ready_url: str) -> None:
    async with APIKeys(ready_url, catalogue=Fewer) as keys:
        await keys.roles.create("files", ["FILE_*"], project="acme")
        await keys.roles.create("plain", ["FILE_READ"])
        issued = await keys.create("a key", roles=["files"], project="acme")
        assert not (await keys.status()).roles
    async with APIKeys(ready_url, catalogue=More) as keys:
        status = await keys.status()
        (grown,) = status.roles
        assert (grown.name, grown.project, list(grown.missing)) == ("files", "acme", ["FILE_WRITE"])
        (finding,) = [each for each in status.findings if each.code == "role_grown"]
        assert "FILE_WRITE" in finding.sentence
        assert (await keys.get(issued.key.id)).permissions == {"FILE_READ"}
        await keys.roles.update("files", project="acme", permissions=["FILE_*"])
        assert not (await keys.status()).roles
        assert (await keys.get(issued.key.id)).permissions == {"FILE_READ", "FILE_WRITE"}
