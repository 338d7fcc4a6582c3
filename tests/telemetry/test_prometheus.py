"""What prometheus-client is told is what happened, whoever reads it, and nothing of whom."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, Quota
from gatepost.base import Outcome
from gatepost.telemetry import PrometheusMetrics
from tests.servers.redis import RedisServer
from tests.telemetry.traffic import app, ask, polled, traffic, values


@asynccontextmanager
async def measured(
    database: str, redis: str | None = None, **settings: object
) -> AsyncIterator[tuple[APIKeys, CollectorRegistry]]:
    """Open keys, and the registry that they are told in."""
    registry = CollectorRegistry()
    keys = APIKeys(database, redis, **settings)  # type: ignore[arg-type]
    PrometheusMetrics(keys, registry=registry)
    async with keys:
        await keys.serve()
        yield keys, registry


async def test_each_request_is_counted_by_what_came_of_it_and_each_lookup_by_the_tier_that_answered(
    ready_sqlite_url: str, redis_url: str
) -> None:
    async with measured(ready_sqlite_url, redis_url) as (keys, registry):
        await traffic(keys)
        told = values(registry)
    requests = {name.partition("=")[2][:-1]: told[name] for name in told if name.startswith("gatepost_requests_total")}
    assert requests == {
        "valid": 12.0,
        "permission_denied": 1.0,
        "key_deactivated": 2.0,
        "limit_exceeded": 1.0,
        "key_missing": 1.0,
        "key_invalid": 1.0,
    }
    # of 14 requests with a usable key two were looked up; of two with the other one the second was remembered
    lookups = {
        tier: told.get(f"gatepost_lookups_total{{tier={tier}}}", 0.0) for tier in ("memory", "redis", "database")
    }
    assert lookups == {"memory": 13.0, "redis": 0.0, "database": 3.0}
    assert told["gatepost_exchanges_total{tier=redis}"] == told["gatepost_exchanges_total{tier=database}"] == 3.0
    assert told["gatepost_lookup_duration_seconds_count{result=ok}{tier=redis}"] == 3.0
    assert told["gatepost_lookup_duration_seconds_count{result=ok}{tier=database}"] == 3.0
    assert told["gatepost_limit_duration_seconds_count{result=ok}{tier=redis}"] == 2.0
    assert told["gatepost_change_duration_seconds_count{result=ok}"] == 4.0
    assert told["gatepost_propagation_duration_seconds_count{result=ok}"] == 1.0
    assert 0 < told["gatepost_propagation_duration_seconds_sum{result=ok}"] < 60
    assert told["gatepost_tier_up{tier=redis}"] == told["gatepost_tier_up{tier=database}"] == 1.0
    assert told["gatepost_memory_entries{kind=keys}"] == 3.0


async def test_what_another_worker_left_in_redis_is_a_lookup_of_redis(ready_sqlite_url: str, redis_url: str) -> None:
    async with measured(ready_sqlite_url, redis_url) as (keys, _):
        secret = (await keys.create("good")).secret
        assert (await keys.verify(secret)).valid
        async with measured(ready_sqlite_url, redis_url) as (other, registry):
            while not values(registry).get("gatepost_lookups_total{tier=redis}"):  # it is written in the background
                other._opened().lookup._memory.clear()
                assert (await other.verify(secret)).valid
            told = values(registry)
    assert told["gatepost_lookup_duration_seconds_count{result=ok}{tier=redis}"] >= 1.0


async def test_the_poll_and_the_lease_are_told_as_moments(ready_sqlite_url: str) -> None:
    async with measured(ready_sqlite_url, max_staleness=40.0) as (keys, registry):
        await polled(keys)
        told, now = values(registry), time.time()
    assert told["gatepost_poll_duration_seconds_count{result=ok}"] >= 1.0
    polled_at, ends_at = told["gatepost_last_poll_timestamp_seconds"], told["gatepost_lease_end_timestamp_seconds"]
    assert polled_at <= now + 1
    assert 0 < ends_at - polled_at <= 41


async def test_a_process_that_judges_no_secrets_has_no_moments_and_no_place_in_the_log(ready_sqlite_url: str) -> None:
    registry, keys = CollectorRegistry(), APIKeys(ready_sqlite_url)
    PrometheusMetrics(keys, registry=registry)
    async with keys:
        await keys.create("good")
        text = generate_latest(registry).decode()
    assert "gatepost_change_duration_seconds_count" in text
    for name in ("last_poll_timestamp_seconds", "lease_end_timestamp_seconds", "applied_seq", "limits_fall_back"):
        assert f"gatepost_{name}" not in text


async def test_to_lease_units_of_a_quota_is_a_wait_for_the_database(ready_sqlite_url: str) -> None:
    async with measured(ready_sqlite_url) as (keys, registry):
        secret = (await keys.create("good", limits=[Quota(1000, per="day", name="plan")])).secret
        protected = APIKeyMiddleware(app, keys)
        assert [await ask(protected, secret) for _ in range(5)] == [200] * 5
        told = values(registry)
    assert told["gatepost_limit_duration_seconds_count{result=ok}{tier=database}"] == 1.0
    assert told["gatepost_requests_total{outcome=valid}"] == 5.0


async def test_a_redis_that_is_skipped_and_limits_that_fall_back_are_told(
    ready_sqlite_url: str, redis_url: str, redis_server: RedisServer
) -> None:
    async with measured(ready_sqlite_url, redis_url) as (keys, registry):
        assert values(registry)["gatepost_tier_up{tier=redis}"] == 1.0
        redis_server.stop()
        secret = (await keys.create("good")).secret
        assert (await keys.verify(secret)).valid
        told = values(registry)
    assert "gatepost_tier_up{tier=redis}" not in told  # 0
    assert told["gatepost_limits_fall_back"] == 1.0


async def test_no_label_and_no_value_tells_of_a_key_its_project_its_owner_an_address_or_a_secret(
    ready_sqlite_url: str, redis_url: str
) -> None:
    async with measured(ready_sqlite_url, redis_url) as (keys, registry):
        callers = await traffic(keys)
        text = generate_latest(registry).decode()
    for unwanted in (*callers.ids, *callers.secrets, "acme", "ann", "127.0.0.1", "OBJECTS_LIST", "/guarded"):
        assert unwanted not in text
    series = sum(not line.startswith("#") and "_bucket" not in line for line in text.splitlines())
    assert series < 100


async def test_counters_go_on_rising_when_the_keys_are_opened_anew_and_when_usage_is_written(
    ready_sqlite_url: str,
) -> None:
    registry = CollectorRegistry()
    keys = APIKeys(ready_sqlite_url)
    PrometheusMetrics(keys, registry=registry)
    for turn in range(1, 4):
        async with keys:
            secret = (await keys.create("good")).secret
            for _ in range(3):
                assert (await keys.verify(secret)).valid
            await keys.flush_usage()
            assert (await keys.verify(secret)).valid
        assert values(registry)["gatepost_requests_total{outcome=valid}"] == 4.0 * turn  # closed
    assert "gatepost_tier_up{tier=database}" not in values(registry)


async def test_what_is_read_twice_is_counted_once(ready_sqlite_url: str) -> None:
    async with measured(ready_sqlite_url) as (keys, registry):
        await traffic(keys)
        first, again = values(registry), values(registry)
    counters = {name for name in first if "_total" in name}
    assert counters
    assert {name: first[name] for name in counters} == {name: again[name] for name in counters}


async def test_keys_that_count_no_usage_tell_of_no_requests_and_of_all_else(ready_sqlite_url: str) -> None:
    async with measured(ready_sqlite_url, usage=False) as (keys, registry):
        await traffic(keys)
        text, told = generate_latest(registry).decode(), values(registry)
    assert "gatepost_requests" not in text
    assert told["gatepost_lookups_total{tier=database}"] == 3.0


async def test_each_outcome_is_there_with_0_before_it_happens(ready_sqlite_url: str) -> None:
    async with measured(ready_sqlite_url) as (_, registry):
        text = generate_latest(registry).decode()
    for outcome in Outcome:
        assert f'gatepost_requests_total{{outcome="{outcome.value}"}} 0.0' in text


def test_a_second_set_in_one_registry_is_refused_with_what_to_do() -> None:
    registry = CollectorRegistry()
    PrometheusMetrics(APIKeys("sqlite://"), registry=registry)
    with pytest.raises(BadInputError, match=r"registry: .* PrometheusMetrics once"):
        PrometheusMetrics(APIKeys("sqlite://"), registry=registry)
    with pytest.raises(BadInputError, match="keys must be an APIKeys"):
        PrometheusMetrics(app)  # type: ignore[arg-type]


async def test_a_lookup_that_failed_is_told_as_failed(ready_postgres_url: str) -> None:
    async with measured(ready_postgres_url, memory_entries=0) as (keys, registry):
        secret = (await keys.create("good")).secret
        keys._opened().database._timeout = 0.0  # every read is too late
        assert await ask(APIKeyMiddleware(app, keys), secret) == 503
        told = values(registry)
    assert told["gatepost_lookup_duration_seconds_count{result=failed}{tier=database}"] == 1.0
    assert told["gatepost_lookups_total{tier=none}"] == 1.0
    assert told["gatepost_requests_total{outcome=unavailable}"] == 1.0


WORKER = """
import asyncio, sys
from prometheus_client import REGISTRY, generate_latest
from gatepost import APIKeys
from gatepost.telemetry import PrometheusMetrics
from tests.telemetry.traffic import traffic

async def main():
    keys = APIKeys(sys.argv[1])
    PrometheusMetrics(keys)
    async with keys:
        await keys.serve()
        await traffic(keys)
    assert b"gatepost_" not in generate_latest(REGISTRY)  # or each would be told twice

asyncio.run(main())
"""

PARENT = """
import os, sys
from gatepost import APIKeys
from gatepost.telemetry import PrometheusMetrics

PrometheusMetrics(APIKeys(sys.argv[1]))  # and forks workers, say
"""

READER = """
import sys
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.multiprocess import MultiProcessCollector
from tests.telemetry.traffic import values

for pid in sys.argv[1:]:
    mark_process_dead(pid)
registry = CollectorRegistry()
MultiProcessCollector(registry)
for name, value in values(registry).items():
    print(name, value)
"""


def test_of_several_processes_the_files_tell_the_sum(ready_sqlite_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}

    def run(code: str, *arguments: str) -> str:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def told(*dead: str) -> Mapping[str, float]:
        return {name: float(value) for name, value in map(str.split, run(READER, *dead).splitlines())}

    for code in (WORKER, PARENT, WORKER):
        run(code, ready_sqlite_url)
    sums = told()
    assert sums["gatepost_requests_total{outcome=valid}"] == 24.0
    assert sums["gatepost_requests_total{outcome=limit_exceeded}"] == 2.0
    assert sums["gatepost_lookups_total{tier=memory}"] == 26.0
    assert sums["gatepost_lookup_duration_seconds_count{result=ok}{tier=database}"] == 6.0
    assert sums["gatepost_propagation_duration_seconds_count{result=ok}"] == 2.0
    assert sums["gatepost_tier_up{tier=database}"] == 1.0  # of the lowest, not their sum
    assert sums["gatepost_last_poll_timestamp_seconds"] > 1e9
    pids = {file.stem.rpartition("_")[2] for file in folder.iterdir()}
    assert len(pids) == 3
    left = told(*pids)
    assert left["gatepost_requests_total{outcome=valid}"] == 24.0
    assert not [name for name in left if "tier_up" in name or "timestamp" in name]
