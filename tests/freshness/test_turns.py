"""When a worker polls after it was rung at: at once, unless it has just polled."""

import asyncio
from typing import Any, cast

import pytest

from gatepost.freshness import Freshness
from gatepost.freshness.freshness import NUDGE_GAP

POLLED_AT, POLL_SECONDS = 100.0, 0.25


class Rung:
    """A doorbell that has just been rung."""

    hears = True

    def __init__(self) -> None:
        self.nudged = asyncio.Event()
        self.nudged.set()


@pytest.mark.parametrize(
    ("since", "took", "waits"),
    [
        pytest.param(0.9, POLL_SECONDS, 0.0, id="alone"),
        pytest.param(0.0, 0.0, NUDGE_GAP, id="together with others"),
        pytest.param(0.05, POLL_SECONDS, POLL_SECONDS - 0.05, id="in a storm"),
    ],
)
async def test_a_nudge_waits_only_for_the_rest_after_the_last_poll(
    monkeypatch: pytest.MonkeyPatch, since: float, took: float, waits: float
) -> None:
    nobody = cast("Any", None)
    bell = Rung()
    freshness = Freshness(
        nobody, nobody, nobody, bell, max_staleness=10.0, poll_interval=1.0, clock=lambda: POLLED_AT + since
    )
    freshness._polled_at, freshness._poll_seconds = POLLED_AT, took
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("gatepost.freshness.freshness.asyncio.sleep", sleep)
    await freshness._wait_for_turn()
    assert [max(0.0, each) for each in slept] == [pytest.approx(waits)]
    assert not bell.nudged.is_set()
