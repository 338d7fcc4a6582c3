"""When an answer may be old, and what it is if not."""

import pytest

from gatepost import Outcome
from gatepost.audit.judgement import Bound, Circumstances, Judgement, judge
from gatepost.health import Answer

VALID, OFF, GONE = Outcome.VALID, Outcome.DEACTIVATED, Outcome.INVALID


@pytest.mark.parametrize(
    ("asked_at", "applied_seq", "acked_seq", "bound"),
    [
        (105.0, 6, 6, None),
        (110.1, 6, 6, None),  # clocks' rates differ, and are read late
        (110.2, 6, 6, Bound.LATE),
        (100.0, 7, 6, Bound.APPLIED),
        (100.0, 6, 7, Bound.ACKNOWLEDGED),
        (100.0, 6, None, Bound.GONE),
        (100.0, 6, -1, None),
    ],
)
def test_a_worker_must_know_of_a_change_once_it_or_its_row_says_so_or_its_time_is_over(
    asked_at: float, applied_seq: int, acked_seq: int | None, bound: Bound | None
) -> None:
    circumstances = Circumstances(asked_at=asked_at, max_staleness=10.0, applied_seq=applied_seq, acked_seq=acked_seq)
    assert circumstances.bound(seq=7, seen_at=100.0) is bound


@pytest.mark.parametrize(
    ("answer", "truth", "free", "bound"),
    [
        (Answer(VALID, 7), VALID, Judgement.RIGHT, Judgement.RIGHT),
        (Answer(OFF, 8), OFF, Judgement.RIGHT, Judgement.RIGHT),
        (Answer(GONE, 7), OFF, Judgement.RIGHT, Judgement.RIGHT),
        (Answer(VALID, 6), OFF, Judgement.OLD, Judgement.ACCEPTED),
        (Answer(VALID, 6), GONE, Judgement.OLD, Judgement.ACCEPTED),
        (Answer(VALID, 7), OFF, Judgement.OLD, Judgement.ACCEPTED),
        (Answer(OFF, 6), VALID, Judgement.OLD, Judgement.REFUSED),
        (Answer(VALID, 6), VALID, Judgement.OLD, Judgement.OUTDATED),
        (Answer(OFF, 6), OFF, Judgement.OLD, Judgement.OUTDATED),
        (Answer(Outcome.UNAVAILABLE, None), OFF, Judgement.UNDECIDED, Judgement.UNDECIDED),
    ],
)
def test_an_answer_from_before_the_change_is_a_violation_only_of_a_worker_that_had_to_know(
    answer: Answer, truth: Outcome, free: Judgement, bound: Judgement
) -> None:
    assert judge(answer, truth, 7, None) is free
    assert judge(answer, truth, 7, Bound.APPLIED) is bound
