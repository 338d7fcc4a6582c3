"""Many lookups, few round trips.

    ask(a) ask(b) ask(a) ... end of the loop's turn -> fetch([a, b]) -> every asker gets its value
                             at most `at_once` fetches run; who comes meanwhile goes out together with the next

A future given by `ask` stands for a read that begins after the call: the asker's own, in the words of the rule of
freshness. One given by `join` stands for a read that had begun before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Coalescer(Generic[K, V]):
    """Gathers the digests, or whatever else is asked for, in one turn of the event loop into one call of `fetch`.

    `fetch(digests)`: answers a value for each digest, or raises for all; ends by itself. `size`: most digests per call.
    `at_once`: most calls at the same time. Every asker has a future of its own, so one that is cancelled takes nobody
    with it.
    """

    def __init__(self, fetch: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, size: int, at_once: int) -> None:
        self._fetch = fetch
        self._size = size
        self._at_once = at_once
        self._asked: dict[K, list[asyncio.Future[V]]] = {}
        self._under_way: dict[K, list[asyncio.Future[V]]] = {}
        self._running: dict[asyncio.Task[None], None] = {}  # in their order: a set has one of its own in each run
        self._coming: set[asyncio.Task[None]] = set()
        """Of those that run, the ones that have not begun."""
        self._creating = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def ask(self, digest: K) -> asyncio.Future[V]:
        """The value, from a fetch that begins after this call. The future raises what the fetch raises."""
        waiters = self._asked.get(digest)
        return self._wait(self._begin(digest) if waiters is None else waiters)

    def join(self, digest: K) -> asyncio.Future[V] | None:
        """The value from a fetch that began before this call; `None` where there is none."""
        waiters = self._under_way.get(digest)
        return None if waiters is None else self._wait(waiters)

    def ask_or_join(self, digest: K) -> asyncio.Future[V]:
        """The value, from a fetch under way if there is one: for values that are checked by `as_of` in any case."""
        waiters = self._under_way.get(digest, self._asked.get(digest))
        return self._wait(self._begin(digest) if waiters is None else waiters)

    def expect(self, digest: K) -> None:
        """Have the value fetched, unless that is under way or about to begin: for those who will join it."""
        if digest not in self._under_way and digest not in self._asked:
            self._begin(digest)

    async def close(self) -> None:
        """Wait for what is running or asked: a fetch cancelled in the middle of a statement would lose a connection."""
        while self._running:
            task = next(iter(self._running))
            if not task.done():
                await asyncio.wait({task})
            self._ran(task)  # here too: the loop may not have had the turn in which it would have called it

    def _wait(self, waiters: list[asyncio.Future[V]]) -> asyncio.Future[V]:
        """A new future among those that wait for one value."""
        if self._loop is None:  # asking for it costs a system call each time (CPython 3.11)
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[V] = self._loop.create_future()
        waiters.append(future)
        return future

    def _begin(self, digest: K) -> list[asyncio.Future[V]]:
        waiters: list[asyncio.Future[V]] = []
        self._asked[digest] = waiters
        if not self._coming:
            self._schedule()
        return waiters

    def _schedule(self) -> None:
        """Have as many calls of `fetch` as are needed, and may run, begin when this turn of the event loop is over."""
        needed = -(-len(self._asked) // self._size) - len(self._coming)
        for _ in range(min(needed, self._at_once - len(self._running))):
            self._creating = True
            task = asyncio.get_running_loop().create_task(self._run())
            self._creating = False
            self._running[task] = None
            self._coming.add(task)
            task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._coming.discard(task)  # where it was cancelled before it began
        if self._asked:
            self._schedule()

    async def _run(self) -> None:
        """One call of `fetch`, for as much of what has been asked as it may be given."""
        if self._creating:  # by an eager task factory, which begins it while its askers still ask
            await asyncio.sleep(0)
        self._coming.discard(asyncio.current_task())
        batch = {digest: self._asked.pop(digest) for digest in list(islice(self._asked, self._size))}
        if self._asked:
            self._schedule()
        await self._answer(batch)

    async def _answer(self, batch: Mapping[K, list[asyncio.Future[V]]]) -> None:
        self._under_way |= batch
        try:
            fetched = await self._fetch(list(batch))
            values = [fetched[digest] for digest in batch]
        except Exception as failure:  # noqa: BLE001 - goes to every asker, who decides
            for waiter in _still_waiting(batch):
                waiter.set_exception(failure)
        except BaseException:
            for waiter in _still_waiting(batch):
                waiter.cancel()
            raise
        else:
            for value, waiters in zip(values, batch.values(), strict=True):
                for waiter in waiters:
                    if not waiter.done():
                        waiter.set_result(value)
        finally:
            self._forget(batch)

    def _forget(self, batch: Mapping[K, list[asyncio.Future[V]]]) -> None:
        """It is under way no more; another fetch of the same digest may be."""
        for digest, waiters in batch.items():
            if self._under_way.get(digest) is waiters:
                del self._under_way[digest]


def _still_waiting(batch: Mapping[K, list[asyncio.Future[V]]]) -> list[asyncio.Future[V]]:
    return [waiter for waiters in batch.values() for waiter in waiters if not waiter.done()]
