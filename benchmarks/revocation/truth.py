"""What was true when: the judge of every answer. Pure.

A request that began after a verb had returned, and ended before the next verb was called, has one right answer. What
overlaps a verb may be answered either way.
"""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

READ, WRITE = 0, 1
"""The two routes: one for every usable key, one for keys with the permission."""

NO_ANSWER = 0
"""Status of a request whose connection broke."""


class Truth(StrEnum):
    """What holds for a secret on a route from some moment on. `OPEN`: a verb is under way, or ended without saying."""

    LET_IN = "let in"
    REFUSED = "refused"
    OPEN = "open"


class Finding(StrEnum):
    """What an answer was."""

    RIGHTLY_LET_IN = "rightly let in"
    RIGHTLY_REFUSED = "rightly refused"
    WRONG_PASS = "wrong pass"
    WRONG_REFUSAL = "wrong refusal"
    UNAVAILABLE = "unavailable"
    NO_ANSWER = "no answer"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the load saw it. `began`, `ended`: CLOCK_MONOTONIC, nanoseconds; began before it was sent.
    `secret`: number of the secret. `worker`: number of the worker. `status`: HTTP's, or `NO_ANSWER`."""

    began: int
    ended: int
    secret: int
    worker: int
    route: int
    status: int


class Timeline:
    """What was true of one secret on one route, moment by moment."""

    def __init__(self) -> None:
        self._at: list[int] = []
        self._truths: list[Truth] = []

    @property
    def last(self) -> Truth:
        """What holds now."""
        return self._truths[-1] if self._truths else Truth.OPEN

    def note(self, at: int, truth: Truth) -> None:
        """From `at` on (nanoseconds, not before the moment noted last) this holds."""
        if self._at and at < self._at[-1]:
            raise ValueError("moments must be noted in order")
        self._at.append(at)
        self._truths.append(truth)

    def during(self, began: int, ended: int) -> Truth:
        """What held without a change from `began` to `ended`; `OPEN` where something changed meanwhile."""
        first, last = bisect_right(self._at, began), bisect_right(self._at, ended)
        return self._truths[first - 1] if first == last and first else Truth.OPEN


class Truths:
    """The timelines of all secrets, by number and route."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, int], Timeline] = {}

    def of(self, secret: int, route: int) -> Timeline:
        """The timeline of a secret on a route."""
        return self._of.setdefault((secret, route), Timeline())

    def note(self, secret: int, at: int, truth: Truth, *routes: int) -> None:
        """From `at` on this holds for the secret; on all routes unless some are named."""
        for route in routes or (READ, WRITE):
            self.of(secret, route).note(at, truth)

    def judge(self, request: Request) -> Finding:
        """Whether the answer was right."""
        if request.status == NO_ANSWER:
            return Finding.NO_ANSWER
        truth = self.of(request.secret, request.route).during(request.began, request.ended)
        if truth is Truth.REFUSED and request.status < 400:
            return Finding.WRONG_PASS
        if request.status == 503:
            return Finding.UNAVAILABLE
        if truth is Truth.OPEN:
            return Finding.UNCHECKED
        if truth is Truth.REFUSED:
            return Finding.RIGHTLY_REFUSED if request.status in {401, 403} else Finding.WRONG_REFUSAL
        return Finding.RIGHTLY_LET_IN if request.status == 200 else Finding.WRONG_REFUSAL
