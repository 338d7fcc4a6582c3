"""The benchmarks of permission checks, of the start, and of `deactivate()`: that they tell what they are to."""

from pathlib import Path
from typing import Any

import pytest
from benchmarks.rounds import Plan
from benchmarks.scenarios import budget_served, deactivate, deactivate_alone, metrics, permission_check, startup

from benchmarks import ladder


class Tiny(Plan):
    """Enough to see that it works."""

    def pick(self, whole: int, quick: int) -> int:  # noqa: ARG002 - of the plan
        return max(1, quick // 20)


NAMES = (deactivate_alone.HEARD, deactivate_alone.POLLED)
PLAN = Tiny(quick=True, tell=lambda _: None)


async def test_permission_check_tells_what_each_check_adds() -> None:
    handlers, routes, ways = await permission_check.measure(PLAN)
    names = set(permission_check.HANDLERS) - {permission_check.NO_CHECK}
    assert {series.name for series in handlers.series} == names
    assert [each.limit for each in handlers.ratios] == [permission_check.BY_HAND_LIMIT, None, None]
    assert {permission_check.GATEPOST, *permission_check.DEPENDENCIES} <= {series.name for series in routes.series}
    assert [series.name for series in ways.series] == [*permission_check.GUARDED]
    assert [(each.of, each.to, each.limit) for each in ways.ratios] == [
        (each, permission_check.DECORATED, permission_check.DEPENDENCY_LIMIT)
        for each in (permission_check.DEPENDENCY, permission_check.SCOPES)
    ]


async def test_metrics_tell_what_each_exporter_adds_to_a_hit() -> None:
    compiled, python, collected = await metrics.measure(PLAN)
    for table in (compiled, python):
        assert [(each.of, each.to, each.limit) for each in table.ratios] == [
            (metrics.PROMETHEUS, metrics.OFF, metrics.LIMIT),
            (metrics.OPENTELEMETRY, metrics.OFF, metrics.LIMIT),
        ]
    assert [series.name for series in collected.series] == [metrics.PROMETHEUS, metrics.OPENTELEMETRY]


async def test_an_exporter_that_tells_nothing_is_not_timed() -> None:
    with pytest.raises(RuntimeError, match="nothing to collect"):
        await metrics._time_collections(lambda: b"")


async def test_the_steps_under_a_servers_protocol_add_up_to_gatepost() -> None:
    (table,) = await budget_served.measure(PLAN)
    *steps, whole = table.series
    assert [step.name for step in steps] == [*(name for name, _ in ladder.RUNGS), ladder.REST]
    assert sum(step.runs[0] for step in steps) == pytest.approx(whole.runs[0], rel=1e-4)


def test_a_check_that_lets_everybody_in_is_no_contestant() -> None:
    with pytest.raises(RuntimeError, match="status 200 where 403 is right"):
        permission_check._check(permission_check.GATEPOST, lambda _: 200)


async def test_startup_tells_what_imports_add() -> None:
    table = await startup._imports(PLAN)
    assert [series.name for series in table.series] == [startup.NAMES, startup.STARLETTE, startup.FASTAPI]
    assert int(table.figures[f"modules loaded by {startup.NAMES}"]) > 0


async def test_code_that_fails_is_not_timed() -> None:
    with pytest.raises(RuntimeError, match="ModuleNotFoundError"):
        await startup._time_python("import nothing_of_this_name")


def answer(milliseconds: float, **more: Any) -> dict[str, Any]:
    """As a worker of the campaign answers to a verb."""
    told = {"began": 10**9, "ended": 10**9 + int(milliseconds * 1e6), "seconds": milliseconds / 2e3}
    return {**told, "complete": True, "acknowledged": deactivate.LIMITED, **more}


def test_deactivate_holds_its_median_against_the_limit() -> None:
    calls = [answer(milliseconds) for milliseconds in (10.0, 20.0, 60.0)]
    table = deactivate._single({deactivate.LIMITED: deactivate._checked(calls, deactivate.LIMITED)})
    whole, spreading = table.series
    assert whole.spread.median == pytest.approx(20.0)
    assert spreading.spread.median == pytest.approx(10.0)
    assert whole.limit == deactivate.LIMIT_MS
    assert whole.holds


@pytest.mark.parametrize("wrong", [{"error": "UnavailableError"}, {"complete": False}, {"acknowledged": 3}])
def test_a_call_that_did_not_reach_every_worker_is_no_figure(wrong: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError):
        deactivate._checked([answer(10.0, **wrong)], deactivate.LIMITED)


@pytest.mark.timeout(300)
async def test_the_doorbell_is_compared_with_workers_that_hear_none(tmp_path: Path) -> None:
    urls = {name: f"sqlite:///{tmp_path}/{number}.db" for number, name in enumerate(NAMES)}
    table = await deactivate_alone._table(PLAN, "SQLite", tmp_path, urls)
    assert [(series.name, len(series.runs)) for series in table.series] == [(name, 1) for name in NAMES]
    (ratio,) = table.ratios
    assert (ratio.of, ratio.to, ratio.limit) == (*NAMES, deactivate_alone.LIMITS["SQLite"])
