"""The world: an event loop whose time is a number, and the processes that live in it.

    nothing is ready? ──> time jumps to the next timer
    some are ready?   ──> one *process* is drawn by lot, and runs its oldest callback

Inside a process callbacks run first in, first out, as asyncio promises; between processes any order may happen, as it
may between machines. Every choice comes from one seeded generator, and so does all randomness of the code that runs
here: the same seed gives the same world, callback by callback, in any process and on any machine.
"""

import asyncio
import contextlib
import gc
import hashlib
import heapq
import logging
import random
import secrets
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context, ContextVar, copy_context
from typing import Any

STEP_SECONDS = 10e-6
"""What one callback costs: time goes on while something is ready too."""

CLOCK_RATES = (0.9951, 1.0049)
"""Clocks of two machines differ by less than 1 %: what docs/decisions/0005 takes for granted."""

AT_ONCE_SECONDS = 0.001
"""An answer that comes as it is given up is nobody's fault."""

TRACE_LINES = 80
"""Lines of a trace that are kept to be shown."""


class Process:
    """One operating system process: it may be paused, and killed; what it had sent by then is under way all the same.

    `clock`: its boot clock, which goes on while it is paused. `wall`: its wall clock, which somebody may set. `rate`:
    how many seconds of them pass in one of the world's.
    """

    def __init__(self, world: "World", name: str) -> None:
        self._world = world
        self.rate = world.rng.uniform(*CLOCK_RATES)
        self._began = world.rng.uniform(1.0, 1e6)
        self._set_by = 0.0
        self.name = name
        self.ready: deque[asyncio.Handle] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        self.is_paused = False
        self.is_dead = False
        self.on_death: list[Callable[[], None]] = []
        self.context: Context = copy_context()
        self.context.run(_PROCESS.set, self)

    def clock(self) -> float:
        """Seconds on the boot clock."""
        return self._began + self._world.time() * self.rate

    def wall(self) -> float:
        """Seconds on the wall clock."""
        return self._began + self._world.time() * self.rate + self._set_by

    def set_wall(self, by: float) -> None:
        """Somebody sets the wall clock."""
        self._set_by += by

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` in this process."""
        return self._world.create_task(work, context=self.context)

    def pause(self, seconds: float) -> None:
        """Run nothing for a while. Timers that come due meanwhile fire at the end of it."""
        self.is_paused = True
        self._world.outside.after(seconds, self._resume)

    def _resume(self) -> None:
        self.is_paused = False

    def kill(self) -> None:
        """The end: nothing of it runs any more, not even what tidies up."""
        self.is_dead = True
        for tell in self.on_death:
            tell()

    def after(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Call back, in this process, after `seconds` of the world's time."""
        self._world.call_later(seconds, callback, *arguments, context=self.context)


_PROCESS: ContextVar[Process] = ContextVar("process")


def current_process() -> Process:
    """The process that is running."""
    return _PROCESS.get()


class World(asyncio.BaseEventLoop):
    """An event loop without a clock, a socket or a thread. `rng`: the only source of chance. `outside`: the process of
    all that is no process: networks, servers, fate."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        self.rng = random.Random(seed)
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.steps = 0
        self._now = 0.0
        self._lines: deque[str] = deque(maxlen=TRACE_LINES)
        self._hash = hashlib.sha256()
        self._processes: list[Process] = []
        self._is_over = False
        self.outside = self.process("outside")
        self.set_exception_handler(self._take_note_of_fault)

    def time(self) -> float:
        """Seconds since the world began."""
        return self._now

    def process(self, name: str) -> Process:
        """A new process."""
        process = Process(self, name)
        self._processes.append(process)
        return process

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """As ever; remembered, so that a killed process's tasks are not collected at a moment of their own."""
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        process = (options.get("context") or copy_context()).get(_PROCESS, self.outside)
        process.tasks.append(task)
        if len(process.tasks) > 500:
            process.tasks[:] = [each for each in process.tasks if not each.done()]
        return task

    def tell(self, line: str) -> None:
        """Add a line to the trace."""
        line = f"{self._now:11.6f} {line}"
        self._lines.append(line)
        self._hash.update(line.encode())

    def note_given_up(self, what: str, arrives_at: float) -> None:
        """A process has taken a server for dead. `arrives_at`: when its answer came, or is to come, to the process: if
        it lies there already, the process was only too busy to look."""
        self.counts["exchanges given up"] += 1
        if self._now - arrives_at > AT_ONCE_SECONDS and not self._is_over:
            self.failures.append(f"{what} was given up {self._now - arrives_at:.3f} s after its answer had come")

    @property
    def trace(self) -> str:
        """The last lines."""
        return "\n".join(self._lines)

    @property
    def fingerprint(self) -> str:
        """Of everything that was told, and of the number of callbacks that ran."""
        return hashlib.sha256(self._hash.digest() + str(self.steps).encode()).hexdigest()[:16]

    def run(self, work: Coroutine[Any, Any, Any], most_seconds: float) -> None:
        """Run `work` outside all processes to its end, then end everything. `most_seconds`: of the world's time."""
        with seeded_randomness(self.seed), self._heard_log():
            try:
                self.run_until_complete(asyncio.wait_for(self.outside.start(work), most_seconds))
            finally:
                self._end()

    def _end(self) -> None:
        """Cancel all there is, killed or not, and let it tidy up: coroutines must not be left to the collector."""
        self._is_over = True
        for _ in range(50):
            tasks = [task for process in self._processes for task in process.tasks if not task.done()]
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.run_until_complete(asyncio.wait(tasks, timeout=60))
        self.close()

    @property
    def is_over(self) -> bool:
        """Whether only tidying up is left: then networks fail at once."""
        return self._is_over

    def _call_soon(self, callback: Any, args: Any, context: Context | None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._take_in(handle)
        return handle

    def _take_in(self, handle: asyncio.Handle) -> None:
        process = handle._context.get(_PROCESS, self.outside)  # type: ignore[attr-defined]
        process.ready.append(handle)

    def _run_once(self) -> None:
        timers: list[Any] = self._scheduled  # type: ignore[attr-defined]
        self._now += STEP_SECONDS
        runnable = self._runnable()
        if not runnable:
            while timers and timers[0]._cancelled:
                heapq.heappop(timers)._scheduled = False
            if not timers:
                raise RuntimeError("The world stands still: everybody waits for somebody")
            self._now = max(self._now, timers[0]._when)
        while timers and timers[0]._when <= self._now:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if not timer._cancelled:
                self._take_in(timer)
        runnable = runnable or self._runnable()
        if runnable:
            process = runnable[0] if len(runnable) == 1 else self.rng.choice(runnable)
            handle = process.ready.popleft()
            if not handle.cancelled():
                self.steps += 1
                handle._run()

    def _runnable(self) -> list[Process]:
        if self._is_over:
            return [process for process in self._processes if process.ready]
        return [each for each in self._processes if each.ready and not each.is_paused and not each.is_dead]

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Taken off the heap when its time comes."""

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none: nothing here is a file."""

    def _write_to_self(self) -> None:
        """Nobody else's thread calls in."""

    def _take_note_of_fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "never retrieved" not in context["message"]:
            self.failures.append(f"the loop was told: {context['message']}: {context.get('exception')!r}")

    @contextlib.contextmanager
    def _heard_log(self) -> Iterator[None]:
        """Logs go to the counts; an exception that the code caught because it must go on is a failure here."""
        logger = logging.getLogger("gatepost")
        ear = _Ear(self)
        logger.addHandler(ear)
        level, passes_on = logger.level, logger.propagate
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(ear)
            logger.setLevel(level)
            logger.propagate = passes_on


class _Ear(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.counts[f"log: {str(record.msg)[:60]}"] += 1
        if record.exc_info and record.exc_info[1] is not None and not self._world.is_over:
            self._world.failures.append(f"the code logged {record.msg!r}: {record.exc_info[1]!r}")


@contextlib.contextmanager
def seeded_randomness(seed: str) -> Iterator[None]:
    """All that the code draws, secrets and ids included, comes from the seed; objects are freed only by their last
    reference, since the collector of cycles comes when it likes."""
    drawn = random.Random(f"{seed} drawn")
    seeded: dict[str, Callable[..., object]] = {
        "token_bytes": drawn.randbytes,
        "token_hex": lambda nbytes: drawn.randbytes(nbytes).hex(),
        "randbelow": drawn.randrange,
        "randbits": drawn.getrandbits,
    }
    real = {name: getattr(secrets, name) for name in seeded}
    before = random.getstate()
    random.seed(f"{seed} jitter")
    for name, function in seeded.items():
        setattr(secrets, name, function)
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(secrets, name, function)
        random.setstate(before)
        if collecting:
            gc.enable()
