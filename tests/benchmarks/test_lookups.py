"""The benchmarks of lookups: that counts are true, and that scenarios answer what they say, at a tiny size."""

import asyncio
from collections import Counter
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from benchmarks.asking import ask, check
from benchmarks.by_hand import GET, get_then_select, put_in_redis, put_in_table, redis_get, select_each
from benchmarks.counting import RedisCommands, counted_statements
from benchmarks.in_process import answering
from benchmarks.measured import Table
from benchmarks.rounds import Plan
from benchmarks.scenarios import cold, creates, mixed, outage, redis_hit, refused, selection, stampede
from redis.asyncio import Redis

from benchmarks import stock
from gatepost import APIKeyMiddleware, APIKeys

if TYPE_CHECKING:
    from starlette.types import ASGIApp

KEYS = range(40)
UNKNOWN = 1_000


class Tiny(Plan):
    """Enough to see that it works."""

    def pick(self, whole: int, quick: int) -> int:  # noqa: ARG002 - of the plan
        return max(1, quick // 20)


PLAN = Tiny(quick=True, tell=lambda _: None)


def by_name(table: Table) -> dict[str, int]:
    """How many runs each contestant has, over the whole axis."""
    counts: Counter[str] = Counter()
    for series in table.series:
        counts[series.name] += len(series.runs)
    return dict(counts)


async def test_round_trips_are_counted_as_they_are_made(ready_sqlite_url: str, redis_url: str) -> None:
    async with (
        APIKeys(ready_sqlite_url, redis_url, server_keys=[stock.SERVER_KEY]) as keys,
        Redis.from_url(redis_url) as client,
    ):
        await stock.put_in(keys, KEYS)
        engine = keys._database.engine
        await put_in_table(engine, KEYS)
        await put_in_redis(client, map(stock.digest, KEYS))
        apps: dict[str, ASGIApp] = {
            "gatepost": APIKeyMiddleware(answering, keys),
            "get": redis_get(answering, client),
            "select": select_each(answering, engine),
            "cached": get_then_select(answering, engine, client),
        }
        secrets = [stock.secret(number) for number in KEYS]
        commands = RedisCommands(client)
        found = {}
        with counted_statements() as statements:
            for name, protected in apps.items():
                statements.clear()
                await commands.begin()
                (await ask(protected, secrets, 4)).only(200)
                sent = await commands.count()
                found[name] = (sent["mget"], sent["get"], statements["lookups"])
                await check(protected, secrets[:3], [stock.secret(UNKNOWN), stock.invented(1), "gp_nonsense"])
    mgets, gets, selects = found.pop("gatepost")
    assert 10 <= selects <= mgets <= len(KEYS), "four at most share one"
    assert gets == 0
    assert found == {"get": (0, 40, 0), "select": (0, 0, 40), "cached": (0, 40, 40)}


async def test_what_fails_is_counted_as_what_it_is_and_not_timed() -> None:
    async def failing(scope: object, receive: object, send: object) -> None:
        raise ConnectionResetError

    answers = await ask(failing, ["a", "b", None], 2)
    assert answers.counts == {"ConnectionResetError": 3}
    with pytest.raises(RuntimeError, match="ConnectionResetError: 3"):
        answers.only(200)
    with pytest.raises(RuntimeError, match="not every answer was 401"):
        await check(answering, ["good"], ["bad"])


async def test_keys_are_put_in_without_being_taken_for_changes_by_hand(ready_url: str) -> None:
    async with APIKeys(ready_url, server_keys=[stock.SERVER_KEY]) as keys:
        await stock.put_in(keys, KEYS)
        await stock.put_in(keys, [UNKNOWN], active=False)
        assert (await keys._database.read_position()).seq == 0
        verdict = await keys.verify(stock.secret(7))
        assert verdict.key is not None
        assert (verdict.valid, verdict.key.permissions) == (True, frozenset(stock.PERMISSIONS))
        assert (await keys.verify(stock.secret(UNKNOWN))).outcome.value == "key_deactivated"


@pytest.fixture
def only_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "KINDS", {"SQLite": None})


async def test_redis_hit_measures_each_level_and_counts_commands() -> None:
    lookups, table = await redis_hit.measure(PLAN)
    assert by_name(lookups) == {"gatepost, a lookup": 1, "GET by hand, a lookup": 1}
    assert [(ratio.limit, ratio.bound) for ratio in lookups.ratios] == [(5, "at least")]
    assert by_name(table) == {"gatepost": 3, GET: 3, redis_hit.WAITING: 3}
    assert {ratio.at for ratio in table.ratios} == {1, 64, 1_000}
    assert (
        table.figures["Redis commands for 1,000 requests, 1 in flight"] == f"gatepost 1,000, {redis_hit.WAITING} 1,000"
    )
    assert table.figures["gatepost's lookups that Redis answered"] == "100.00%"


async def test_cold_asks_the_database_for_every_key(only_sqlite: None) -> None:
    lookups, with_roles, table = await cold.measure(PLAN)
    assert by_name(lookups) == {"gatepost, a lookup": 1, "SELECT by hand, a lookup": 1}
    assert by_name(with_roles) == {"gatepost, a lookup": 1, cold.WITH_ROLES: 1}
    assert by_name(table) == {"gatepost": 1, "SELECT by hand": 1}
    assert table.figures["SQL statements for 1,000 requests"] == "gatepost 20, SELECT by hand 1,000"


async def test_keys_are_made_at_once_and_one_after_another(only_sqlite: None) -> None:
    (table,) = await creates.measure(PLAN)
    assert by_name(table) == {creates.TOGETHER: 1, creates.ALONE: 1}
    assert [each.limit for each in table.ratios] == [None], "it is for PostgreSQL"


async def test_a_selection_is_shown_and_switched_as_by_ids(only_sqlite: None) -> None:
    (table,) = await selection.measure(PLAN)
    assert by_name(table) == {selection.PREVIEW: 1, selection.BY_SELECTION: 1, selection.BY_IDS: 1}
    assert [each.limit for each in table.ratios] == [None]


async def test_a_stampede_costs_gatepost_one_mget_and_one_select() -> None:
    (table,) = await stampede.measure(PLAN)
    assert by_name(table)["gatepost"] == 1
    assert table.figures["gatepost: MGET to Redis"] == table.figures["gatepost: SQL statements"] == "1"
    assert table.figures[f"{stampede.WAITING}: GET to Redis"] == "1,000"
    assert table.figures[f"{stampede.WAITING}: SQL statements"] != "1"


async def test_invented_secrets_are_refused_without_asking_anybody() -> None:
    table = await refused._in_process(PLAN)
    assert {series.name for series in table.series} >= {refused.VALID, refused.INVENTED, refused.BY_HAND_UNKNOWN}
    assert table.figures["calls to Redis and PostgreSQL for 50 invented secrets"] == "0"
    assert table.figures["the same for GET by hand, 12 secrets"] == "12"


async def test_mixed_traffic_is_answered_by_all_tiers() -> None:
    (table,) = await mixed.measure(PLAN)
    shares = [table.figures[f"gatepost's requests that {tier} answered"] for tier in ("memory", "Redis", "PostgreSQL")]
    assert sum(float(share.rstrip("%")) for share in shares) == pytest.approx(100, abs=0.2)
    assert by_name(table) == {"gatepost": 1, "GET by hand": 1}


def test_traffic_is_the_same_in_every_run_and_follows_the_law() -> None:
    first = mixed.Traffic(1_000).take(20_000)
    assert first == mixed.Traffic(1_000).take(20_000)
    most, second = (count for _, count in Counter(first).most_common(2))
    assert most / second == pytest.approx(2**mixed.EXPONENT, rel=0.2)


@pytest.mark.parametrize(
    ("keys", "answer"), [(outage.NEW, "401"), (outage.DEACTIVATED, "200"), (outage.NEW, "TypeError")]
)
def test_a_wrong_answer_ends_the_benchmark(keys: str, answer: str) -> None:
    fault = outage.Fault("a fault")
    right = outage.Kind("gatepost", keys, answering, answers=Counter({"503": 3, outage.UNANSWERED: 1}))
    outage._judge([right], fault)
    wrong = outage.Kind("gatepost", keys, answering, answers=Counter({"503": 3, answer: 1}))
    with pytest.raises(RuntimeError, match=f"a fault: gatepost.*{answer}: 1"):
        outage._judge([right, wrong], fault)
    outage._judge([outage.Kind("by hand", keys, answering, answers=Counter({answer: 1}))], fault)


def test_the_scenarios_say_in_a_line_what_they_measure() -> None:
    for name in ("redis_hit", "cold", "stampede", "refused", "outage", "mixed"):
        line = (import_module(f"benchmarks.scenarios.{name}").__doc__ or "").partition("\n")[0]
        assert line.endswith("."), name
        assert asyncio.iscoroutinefunction(import_module(f"benchmarks.scenarios.{name}").measure)
