"""What may become of a message: late, lost on the way there, lost on the way back, refused, or all well."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from gatepost.base.errors import UnavailableError
from gatepost.base.waiting.timeout import Timeout
from tests.simulation.world import Process, World

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


@dataclass
class Weather:
    """How bad it is. Times in seconds, the rest are chances per message. `late`: kinds of statements whose answers take
    so much longer on average: they tell of a past that others have left behind."""

    latency: float = 0.001
    slow: float = 0.01
    slowest: float = 3.0
    lost_before: float = 0.003
    lost_after: float = 0.003
    late: dict[str, float] = field(default_factory=dict)


@dataclass
class Line:
    """What is broken between one process and a server now. `is_cut`: everything. `kinds`: statements that fail."""

    is_cut: bool = False
    kinds: set[str] = field(default_factory=set)


class Network:
    """The way to one server. `is_down`: it answers nobody."""

    def __init__(self, world: World, weather: Weather) -> None:
        self.world = world
        self.weather = weather
        self.is_down = False
        self._lines: dict[Process, Line] = {}

    def line(self, process: Process) -> Line:
        """The line of one process."""
        return self._lines.setdefault(process, Line())

    async def exchange(self, process: Process, kind: str, effect: Callable[[], T], timeout: float) -> T:
        """Have the server do `effect`, at one moment between the call and the answer; or before, or after the caller
        has given up; or never. Raises `UnavailableError`, and what `effect` raises."""
        return await self.post(process, kind, lambda answer: answer(effect), timeout)

    async def post(
        self,
        process: Process,
        kind: str,
        arrive: Callable[[Callable[[Callable[[], T]], None]], None],
        timeout: float,
    ) -> T:
        """As `exchange`, for what the server may have to wait with: `arrive(answer)` is called when the message is
        there, and calls `answer(effect)` at once or later."""
        if self.world.is_over:
            raise UnavailableError(f"{kind}: the world is over")
        message = _Message[T](self, process, kind)
        self.world.outside.after(self.delay(), message.reach, arrive)
        try:
            async with Timeout(timeout):
                return await message.answered
        except TimeoutError:
            self.world.note_given_up(kind, message.arrives_at)
            raise UnavailableError(f"{kind}: no answer within {timeout} s") from None

    def fails(self, process: Process, kind: str) -> bool:
        """Whether a message gets lost on its way to the server."""
        line = self.line(process)
        return self.is_down or line.is_cut or kind in line.kinds or self.world.rng.random() < self.weather.lost_before

    def delay(self) -> float:
        """Seconds that a message takes one way."""
        rng = self.world.rng
        if rng.random() < self.weather.slow:
            return rng.uniform(0, self.weather.slowest)
        return rng.expovariate(1 / self.weather.latency)


class _Message(Generic[T]):
    """One message on its way there and back."""

    def __init__(self, network: Network, process: Process, kind: str) -> None:
        self._network = network
        self._process = process
        self._kind = kind
        self._rng = network.world.rng
        self.answered: asyncio.Future[T] = network.world.create_future()
        self.arrives_at = math.inf

    def reach(self, arrive: Callable[[Callable[[Callable[[], T]], None]], None]) -> None:
        """It is at the server, or lost; who sent it may be told so."""
        if not self._network.fails(self._process, self._kind):
            arrive(self._answer)
            return
        self._network.world.counts["messages lost"] += 1
        if self._rng.random() < 0.5:
            self._fail(UnavailableError(f"{self._kind}: refused"))

    def _answer(self, effect: Callable[[], T]) -> None:
        """The server does it, and answers."""
        weather, outside = self._network.weather, self._network.world.outside
        try:
            value = effect()
        except Exception as failure:  # noqa: BLE001 - goes to the caller
            self._fail(failure)
            return
        if self._rng.random() < weather.lost_after:
            self._network.world.counts["answers lost"] += 1
            if self._rng.random() < 0.5:
                lost = UnavailableError(f"{self._kind}: the connection was lost")
                outside.after(self._network.delay(), self._fail, lost)
            return
        late = weather.late.get(self._kind)
        delay = self._network.delay() if late is None else self._rng.expovariate(1 / late)
        self.arrives_at = self._network.world.time() + delay
        self._process.after(delay, self._deliver, value)

    def _deliver(self, value: T) -> None:
        if self._network.line(self._process).is_cut:
            self.arrives_at = math.inf
        elif not self.answered.done():
            self.answered.set_result(value)

    def _fail(self, failure: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(failure)
