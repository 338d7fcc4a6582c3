"""What was true when: the judge of every answer. Pure.

A request that began after a verb had returned, and ended before the next verb was called, has one right answer. What
overlaps a verb may be answered either way.
"""

from bisect import bisect_right
from collections import defaultdict
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


class Truths:
    """What was true of each secret on each route, moment by moment."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, int], tuple[list[int], list[Truth]]] = defaultdict(lambda: ([], []))

    def last(self, secret: int, route: int) -> Truth:
        """What holds now."""
        _, truths = self._of[secret, route]
        return truths[-1] if truths else Truth.OPEN

    def note(self, secret: int, at: int, truth: Truth, *routes: int) -> None:
        """From `at` on (nanoseconds, not before the moment noted last) this holds for the secret; on all routes unless
        some are named."""
        for route in routes or (READ, WRITE):
            moments, truths = self._of[secret, route]
            if moments and at < moments[-1]:
                raise ValueError("moments must be noted in order")
            moments.append(at)
            truths.append(truth)

    def judge(self, request: Request) -> Finding:
        """Whether the answer was right."""
        if request.status == NO_ANSWER:
            return Finding.NO_ANSWER
        truth = self._during(request)
        if truth is Truth.REFUSED and request.status < 400:
            return Finding.WRONG_PASS
        if request.status == 503:
            return Finding.UNAVAILABLE
        if truth is Truth.OPEN:
            return Finding.UNCHECKED
        if truth is Truth.REFUSED:
            return Finding.RIGHTLY_REFUSED if request.status in {401, 403} else Finding.WRONG_REFUSAL
        return Finding.RIGHTLY_LET_IN if request.status == 200 else Finding.WRONG_REFUSAL

    def _during(self, request: Request) -> Truth:
        """What held without a change from its beginning to its end; `OPEN` where something changed meanwhile."""
        moments, truths = self._of[request.secret, request.route]
        first, last = bisect_right(moments, request.began), bisect_right(moments, request.ended)
        return truths[first - 1] if first == last and first else Truth.OPEN
