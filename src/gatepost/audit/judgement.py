"""Whether an answer of a worker is right, still allowed to be old, or a violation of the rule of freshness. Pure.

A worker may answer from before a change only while all three hold: it has not applied it by its own word, its row does
not say so either (whoever made the change may have stopped to wait), and `max_staleness` has not gone by since.
"""

from dataclasses import dataclass
from enum import StrEnum

from gatepost.base import Outcome
from gatepost.freshness import certainly_over
from gatepost.health import Answer


class Judgement(StrEnum):
    """What an answer is."""

    RIGHT = "right"
    OLD = "old"
    """From before the change, and may be so still: nobody was told otherwise."""
    UNDECIDED = "undecided"
    """The worker could not tell (`Outcome.UNAVAILABLE`), or is of another environment than the key: no wrong answer."""
    ACCEPTED = "accepted"
    """Violation: a secret that is refused is let in."""
    REFUSED = "refused"
    """Violation: a secret that is good is refused."""
    OUTDATED = "outdated"
    """Violation: the outcome is right, but the record is from before the change, with its permissions and project."""


VIOLATIONS = frozenset({Judgement.ACCEPTED, Judgement.REFUSED, Judgement.OUTDATED})


class Bound(StrEnum):
    """Why a worker had to know of a change."""

    APPLIED = "applied"
    """It said itself that it had applied it."""
    ACKNOWLEDGED = "acknowledged"
    """Its row said so, so whoever made the change did not wait for it any more."""
    GONE = "gone"
    """It had no row, so nobody waited for it."""
    LATE = "late"
    """Its `max_staleness` had gone by since the change was seen committed."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What bears on one worker's answers. `asked_at`: the auditor's clock before the question was sent.
    `max_staleness`, `applied_seq`: as the worker said. `acked_seq`: of its row, as read before the question; `None` =
    it had none."""

    asked_at: float
    max_staleness: float
    applied_seq: int
    acked_seq: int | None

    def bound(self, seq: int, seen_at: float) -> Bound | None:
        """Why the worker had to know of the change `seq`, which the auditor saw committed at `seen_at`; `None` = it
        need not yet."""
        if self.applied_seq >= seq:
            return Bound.APPLIED
        if self.acked_seq is None:
            return Bound.GONE
        if self.acked_seq >= seq:
            return Bound.ACKNOWLEDGED
        return Bound.LATE if self.asked_at >= seen_at + certainly_over(self.max_staleness) else None


def judge(answer: Answer, truth: Outcome, seq: int, bound: Bound | None) -> Judgement:
    """What `answer` is, where the database said `truth` before and after it was given, and `seq` was the last change of
    that key all the time."""
    if answer.as_of is None or answer.outcome in (Outcome.UNAVAILABLE, Outcome.ENVIRONMENT_DENIED):
        return Judgement.UNDECIDED
    accepted, good = answer.outcome is Outcome.VALID, truth is Outcome.VALID
    if accepted == good and answer.as_of >= seq:
        return Judgement.RIGHT
    if bound is None:
        return Judgement.OLD
    if accepted == good:
        return Judgement.OUTDATED
    return Judgement.ACCEPTED if accepted else Judgement.REFUSED
