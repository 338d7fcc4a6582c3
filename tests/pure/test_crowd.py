"""How a worker learns about how many others there are, from the few rows that it watches."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

import pytest

from gatepost.base import Worker
from gatepost.database import WorkerRow
from gatepost.freshness.membership import ID_RANGE, WATCHED_MAX, estimated_crowd


def following(ids: Sequence[int], own: int) -> list[WorkerRow]:
    """The rows that a worker watches."""
    ring = sorted((each for each in ids if each != own), key=lambda each: (each - own) % ID_RANGE)
    return [WorkerRow(Worker(f"{each:032x}", "far"), 0, 10.0, datetime.now(UTC), 1) for each in ring[:WATCHED_MAX]]


@pytest.mark.parametrize("workers", [33, 100, 10_000])
def test_workers_that_lie_evenly_in_the_ring_are_counted_exactly(workers: int) -> None:
    ids = [n * ID_RANGE // workers for n in range(workers)]
    for own in (ids[0], ids[workers // 2], ids[-1]):
        assert estimated_crowd(f"{own:032x}", following(ids, own)) == workers


@pytest.mark.parametrize("workers", [1, 2, 32])
def test_few_are_no_crowd(workers: int) -> None:
    ids = [n * ID_RANGE // workers for n in range(workers)]
    assert estimated_crowd(f"{ids[0]:032x}", following(ids, ids[0])) == 0


def test_of_random_ids_most_workers_learn_about_how_many_there_are() -> None:
    drawn = random.Random("crowd")
    ids = sorted(drawn.getrandbits(128) for _ in range(1_000))
    told = sorted(estimated_crowd(f"{own:032x}", following(ids, own)) for own in ids)
    assert 900 < median(told) < 1_100
    assert told[160] > 800
    assert told[-160] < 1_250
    assert told[-1] < 2_000
