"""A database's doorbell that loses, delays and repeats what it rings: what the code uses of `Doorbell`."""

import asyncio

from tests.simulation.world import Process, World

LOSES = 0.3
REPEATS = 0.1
LATENCY = 0.001
SLOW, SLOWEST = 0.02, 2.0


class Doorbells:
    """All that hear one database."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hearing: list[Doorbell] = []

    def delay(self) -> float:
        """Seconds until a ring is heard."""
        rng = self.world.rng
        return rng.uniform(0, SLOWEST) if rng.random() < SLOW else rng.expovariate(1 / LATENCY)


class Doorbell:
    """One process's."""

    hears = True

    def __init__(self, all_of: Doorbells, process: Process) -> None:
        self._all = all_of
        self._process = process
        self.nudged = asyncio.Event()

    def listen(self) -> None:
        """Begin."""
        self._all.hearing.append(self)
        self._process.on_death.append(self._leave)

    async def close(self) -> None:
        """End."""
        self._leave()

    async def nudge(self) -> None:
        """Ring at everybody, once, twice, late or never."""
        world = self._all.world
        if world.is_over:
            return
        for each in list(self._all.hearing):
            if world.rng.random() < LOSES:
                world.counts["nudges lost"] += 1
                continue
            each.ring()
            if world.rng.random() < REPEATS:
                each.ring()
        await asyncio.sleep(self._all.delay())

    def ring(self) -> None:
        """Be heard after a while."""
        self._process.after(self._all.delay(), self.nudged.set)

    def _leave(self) -> None:
        if self in self._all.hearing:
            self._all.hearing.remove(self)
