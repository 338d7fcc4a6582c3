"""What the page draws of usage."""

from datetime import UTC, date, datetime, timedelta

from gatepost import Outcome, SecretState, Usage
from gatepost.admin.page.charts import CHART_HEIGHT, DAYS, SPARK_HEIGHT, STEP, chart_of, spark, still_calling

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def line(count: int, ago: int = 0, outcome: Outcome = Outcome.VALID, state: SecretState | None = None) -> Usage:
    moment = NOW - timedelta(days=ago)
    return Usage(
        count=count,
        last_at=moment,
        last_address=None,
        day=moment.date(),
        outcome=outcome,
        secret_state=state,
        secret="x",
    )


def test_a_sparkline_has_a_bar_for_each_day_that_has_any_requests() -> None:
    bars = spark([0, 1000, 1, 0, 500])
    assert [bar.x for bar in bars] == [STEP, 2 * STEP, 4 * STEP]
    assert [bar.height for bar in bars] == [SPARK_HEIGHT, 1, SPARK_HEIGHT / 2]
    assert all(bar.y + bar.height == SPARK_HEIGHT for bar in bars)
    assert spark([]) == spark([0, 0]) == []


def test_a_chart_tells_what_was_let_in_and_refused_on_each_day_in_bars_and_words() -> None:
    chart = chart_of(
        [line(30), line(10, 0, Outcome.EXPIRED), line(5, 29), line(7, 30), line(1, 3, Outcome.INVALID)], NOW
    )
    assert (len(chart.days), chart.total, chart.refused, chart.most) == (DAYS, 46, 11, 40)
    assert chart.days[-1].refused == {"key_expired": 10}
    assert chart.days[0].day == date(2026, 10, 31)
    today = [bar for bar in chart.bars if bar.x == (DAYS - 1) * STEP]
    assert [(bar.kind, bar.height) for bar in today] == [("in", CHART_HEIGHT * 0.75), ("out", CHART_HEIGHT * 0.25)]
    assert all(bar.y >= 0 and bar.y + bar.height <= CHART_HEIGHT for bar in chart.bars)


def test_who_still_calls_is_who_has_an_older_secret_or_a_key_that_is_off() -> None:
    good = line(1, state=SecretState.CURRENT)
    old, gone = line(2, 5, state=SecretState.OLD), line(3, 1, Outcome.INVALID, SecretState.GONE)
    off = line(4, 3, Outcome.DEACTIVATED, SecretState.CURRENT)
    assert still_calling([good, old, gone, off]) == [gone, off, old]
