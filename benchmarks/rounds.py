"""Contestants take turns, round by round, so that whatever disturbs a shared machine disturbs all of them alike."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measured import Bound, Ratio, Series

Contestant = Callable[[], Awaitable[float]]
"""Does its part of one round, and answers the value: µs, requests per second, whatever the table's unit is."""

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


def series(
    runs: Runs,
    notes: Mapping[str, str] | None = None,
    *,
    beyond: str | None = None,
    limits: Mapping[str, float] | None = None,
    at: float | None = None,
) -> tuple[Series, ...]:
    """Each contestant's. `beyond`: one whose value is taken off all others' of the same round: what they add is told,
    and it is not among them."""
    return tuple(
        Series(
            name=name,
            runs=tuple(mine - zero for mine, zero in zip(values, _base(runs, beyond, values), strict=True)),
            note=(notes or {}).get(name, ""),
            limit=(limits or {}).get(name),
            at=at,
        )
        for name, values in runs.items()
        if name != beyond
    )


def ratio(
    runs: Runs,
    of: str,
    to: str,
    *,
    beyond: str | None = None,
    limit: float | None = None,
    bound: Bound = "at most",
    at: float | None = None,
) -> Ratio:
    """One against another, round by round. `beyond`: a contestant whose value is taken off both first (added time)."""
    base = _base(runs, beyond, runs[of])
    values = tuple((mine - zero) / (theirs - zero) for mine, theirs, zero in zip(runs[of], runs[to], base, strict=True))
    return Ratio(of=of, to=to, runs=values, limit=limit, bound=bound, at=at)


def ratios(
    runs: Runs, of: str, to: Iterable[str], *, beyond: str | None = None, at: float | None = None
) -> tuple[Ratio, ...]:
    """One against several others, with nothing to hold."""
    return tuple(ratio(runs, of, name, beyond=beyond, at=at) for name in to)


def _base(runs: Runs, beyond: str | None, like: Sequence[float]) -> Sequence[float]:
    return runs[beyond] if beyond is not None else [0.0] * len(like)
