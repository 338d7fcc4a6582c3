"""Contestants that are loaded in turns, and what each did in each round."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.measured import Ratio, Series
from benchmarks.rounds import Tell, take_turns
from benchmarks.serving.lineup import Contestant
from benchmarks.serving.wrk import Load

CONNECTIONS = 64
"""Unless a table compares several numbers of them."""


@dataclass
class Turns:
    """Loads contestants round by round, with the same kind of secret each.

    `seconds`: of a turn. `slow_seconds`: of the one turn of a contestant that is slow with such secrets. `loads`: what
    each did, a load a round and start, by its label and the connections that it was loaded over.
    """

    tell: Tell
    rounds: int
    kind: str = "usable"
    seconds: int = 1
    slow_seconds: int = 10
    loads: dict[tuple[str, int], list[Load]] = field(default_factory=dict)

    async def take(self, contestants: Sequence[Contestant], connections: Sequence[int] = (CONNECTIONS,)) -> None:
        """Load each over each number of connections, a slow one once. With usable keys also once before anything
        counts: pools fill then, and caches."""
        turns = [(one, number) for one in contestants for number in connections]
        quick = {
            f"{one.rival.label}, {number} connections, start {one.start}": partial(self._load, one, number)
            for one, number in turns
            if not self._is_slow(one)
        }
        if quick and self.kind == "usable":
            await take_turns(quick, 1, lambda text: self.tell(f"to warm up, {text}"))
            self.loads.clear()
        if quick:
            await take_turns(quick, self.rounds, self.tell)
        for one, number in turns:
            if self._is_slow(one):
                self.tell(f"{one.rival.label}, once, {self.slow_seconds} s")
                await self._load(one, number)

    def answered(self, one: Contestant, connections: int) -> bool:
        """Whether it answered in every turn."""
        return all(load.requests for load in self.loads[one.rival.label, connections])

    def series(self, one: Contestant, at: int | None = None, *, name: str = "", p99: bool = False) -> Series:
        """Answers per second, or the 99th percentile of the time to an answer in milliseconds. `at`: how many
        connections, where that is the table's axis. `name`: other than its own."""
        connections = at or CONNECTIONS
        loads = self.loads[one.rival.label, connections]
        notes = [one.rival.note] if one.rival.note else []
        if len(loads) == 1 and one.rival.slow:
            notes.append(f"measured once, for {self.slow_seconds if self._is_slow(one) else self.seconds} s")
        if not self.answered(one, connections):
            notes.append("not one answer in a turn")
            loads = []
        return Series(
            name=name or one.rival.name,
            runs=tuple(load.p99 / 1_000 if p99 else load.rate for load in loads),
            at=at,
            note=". ".join(notes),
        )

    def ratios(
        self, of: Contestant, to: Contestant, at: int | None = None, *, limit: float | None = None
    ) -> Sequence[Ratio]:
        """Answers per second of one against another, round by round. One that was started once has one turn a round
        where others have several, and a slow one has one in all. None where one of them did not answer. `limit`: at
        least that."""
        connections = at or CONNECTIONS
        if not (self.answered(of, connections) and self.answered(to, connections)):
            return ()
        mine, theirs = ([load.rate for load in self.loads[one.rival.label, connections]] for one in (of, to))
        each, left = divmod(len(mine), len(theirs))
        if left:
            raise ValueError(f"{len(mine)} turns of {of.rival.label} against {len(theirs)} of {to.rival.label}")
        runs = tuple(one / theirs[place // each] for place, one in enumerate(mine))
        return (Ratio(of=of.rival.name, to=to.rival.name, runs=runs, at=at, limit=limit, bound="at least"),)

    def _is_slow(self, one: Contestant) -> bool:
        return self.kind in one.rival.slow

    async def _load(self, one: Contestant, connections: int) -> float:
        seconds = self.slow_seconds if self._is_slow(one) else self.seconds
        load = await one.load(self.kind, connections=connections, seconds=seconds)
        self.loads.setdefault((one.rival.label, connections), []).append(load)
        return load.rate
