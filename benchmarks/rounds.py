"""Contestants take turns, round by round, so that whatever disturbs a shared machine disturbs all of them alike."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.measured import Ratio

Contestant = Callable[[], Awaitable[float]]
"""Does its part of one round, and answers the value: seconds, requests per second, whatever the table's unit is."""

Tell = Callable[[str], None]
"""Says what is being done now, for people."""

Runs = Mapping[str, Sequence[float]]
"""Values by contestant, one a round, in the order of the rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much to measure. `quick`: all of it in a minute, for a first look: smaller sizes, fewer rounds, wider spread.

    `tell`: what is being done now; called as often as one likes.
    """

    quick: bool
    tell: Tell

    def pick(self, whole: int, quick: int) -> int:
        """A number of rounds, keys, or calls."""
        return quick if self.quick else whole


async def take_turns(contestants: Mapping[str, Contestant], rounds: int, tell: Tell) -> Runs:
    """`rounds` times each. Who begins changes from round to round."""
    runs: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            tell(f"round {number + 1} of {rounds}: {name}")
            runs[name].append(await contestants[name]())
            await asyncio.sleep(0)
    return runs


def ratio(
    runs: Runs,
    of: str,
    to: str,
    *,
    beyond: str | None = None,
    limit: float | None = None,
    bound: Literal["at most", "at least"] = "at most",
    at: float | None = None,
) -> Ratio:
    """One against another, round by round. `beyond`: a contestant whose value is taken off both first (added time)."""
    base = runs[beyond] if beyond is not None else [0.0] * len(runs[of])
    values = tuple((mine - zero) / (theirs - zero) for mine, theirs, zero in zip(runs[of], runs[to], base, strict=True))
    return Ratio(of=of, to=to, runs=values, limit=limit, bound=bound, at=at)
