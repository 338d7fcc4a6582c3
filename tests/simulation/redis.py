"""A Redis that cannot be trusted with anything: what the code uses of `gatepost.redis.tier.RedisTier`.

It forgets, answers late, and answers with any value that was ever written, at any time: an old copy after a failover, a
write that overtook another. It loses, delays and repeats nudges. Only seals hold: it cannot make values up.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatepost.base.waiting.timeout import Timeout
from tests.simulation.world import Process, World

VALUES_KEPT = 40
"""Versions of one digest's value that may come back: the oldest, and the newest ones."""


@dataclass
class Habits:
    """Chances per value or message; `latency` in seconds."""

    forgets: float = 0.1
    resurrects: float = 0.3
    loses_writes: float = 0.1
    loses_nudges: float = 0.3
    repeats_nudges: float = 0.1
    latency: float = 0.001
    slow: float = 0.02
    slowest: float = 2.0


class RedisServer:
    """What all tiers share."""

    def __init__(self, world: World, habits: Habits) -> None:
        self.world = world
        self.habits = habits
        self.values: dict[bytes, bytes] = {}
        self.written: dict[bytes, list[bytes]] = {}
        self.tiers: list[RedisTier] = []

    def read(self, digest: bytes) -> bytes | None:
        """A value that was written once, or nothing."""
        rng = self.world.rng
        chance = rng.random()
        if chance < self.habits.forgets:
            return None
        if chance < self.habits.forgets + self.habits.resurrects and digest in self.written:
            self.world.counts["values resurrected"] += 1
            return rng.choice(self.written[digest])
        return self.values.get(digest)

    def write(self, digest: bytes, value: bytes | None) -> None:
        """Write or delete, if it feels like it."""
        if self.world.rng.random() < self.habits.loses_writes:
            return
        if value is None:
            self.values.pop(digest, None)
            return
        self.values[digest] = value
        versions = self.written.setdefault(digest, [])
        if value not in versions:
            versions.append(value)
            del versions[1 : -VALUES_KEPT + 1]

    def delay(self) -> float:
        """Seconds that a message takes."""
        habits = self.habits
        rng = self.world.rng
        return rng.uniform(0, habits.slowest) if rng.random() < habits.slow else rng.expovariate(1 / habits.latency)


class RedisTier:
    """One process's view of it. `is_cut`: the breaker is open."""

    def __init__(self, server: RedisServer, process: Process, timeout: float) -> None:
        self._server = server
        self._process = process
        self._timeout = timeout
        self._is_open = False
        self.is_cut = False
        self.fault: str | None = None
        self.nudged = asyncio.Event()

    @property
    def healthy(self) -> bool:
        """Whether Redis is being asked."""
        return self._is_open and not self.is_cut

    @property
    def hears(self) -> bool:
        """Whether a nudge would be heard, as far as it knows."""
        return self.healthy

    async def open(self, _seal_key: bytes) -> None:
        """Begin."""
        self._is_open = True
        self._server.tiers.append(self)

    async def close(self) -> None:
        """End."""
        self._is_open = False
        if self in self._server.tiers:
            self._server.tiers.remove(self)

    async def get(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """What Redis says that it holds: read at one moment, heard of later."""
        if not self.healthy or self._server.world.is_over:
            return {}
        answer: asyncio.Future[dict[bytes, bytes]] = asyncio.get_running_loop().create_future()
        world = self._server.world
        arrives_at = math.inf

        def deliver(values: dict[bytes, bytes]) -> None:
            if not answer.done():
                answer.set_result(values)

        def reach() -> None:
            nonlocal arrives_at
            read = {digest: self._server.read(digest) for digest in digests}
            delay = self._server.delay()
            arrives_at = world.time() + delay
            self._process.after(delay, deliver, {each: value for each, value in read.items() if value})

        world.outside.after(self._server.delay(), reach)
        try:
            async with Timeout(self._timeout):
                return await answer
        except TimeoutError:
            world.note_given_up("MGET", arrives_at)
            return {}

    def put(self, digest: bytes, payload: bytes, ttl: float | None = None) -> None:  # noqa: ARG002 - outlived
        """Write a value some time."""
        if self.healthy:
            self._server.world.outside.after(self._server.delay(), self._server.write, digest, payload)

    def drop(self, digests: Iterable[bytes]) -> None:
        """Delete values some time."""
        if self.healthy:
            for digest in sorted(digests):
                self._server.world.outside.after(self._server.delay(), self._server.write, digest, None)

    async def nudge(self) -> None:
        """Ring at every worker that may hear it, once, twice, late or never."""
        server = self._server
        if not self.healthy or server.world.is_over:
            return
        rng, habits = server.world.rng, server.habits
        for tier in list(server.tiers):
            if tier.is_cut or rng.random() < habits.loses_nudges:
                server.world.counts["nudges lost"] += 1
                continue
            tier.ring(server.delay())
            if rng.random() < habits.repeats_nudges:
                tier.ring(server.delay())
        await asyncio.sleep(min(server.delay(), self._timeout))

    def ring(self, seconds: float) -> None:
        """Hear a nudge after so many seconds."""
        self._process.after(seconds, self.nudged.set)
