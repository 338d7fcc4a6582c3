"""Many lookups, few round trips.

    ask(a) ask(b) ask(a) ... end of the loop's turn -> fetch([a, b]) -> every asker gets its value
                             at most `at_once` fetches run; who comes meanwhile goes out together with the next

A future given by `ask` stands for a read that begins after the call: the asker's own, in the words of the rule of
freshness. One given by `under_way` stands for a read that had begun before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

V = TypeVar("V")


class Coalescer(Generic[V]):
    """Gathers the digests asked for in one turn of the event loop into one call of `fetch`.

    `fetch(digests)`: answers a value for each digest, or raises for all. `size`: most digests per call. `at_once`: most
    calls at the same time.
    """

    def __init__(
        self, fetch: Callable[[Sequence[bytes]], Awaitable[Mapping[bytes, V]]], *, size: int, at_once: int
    ) -> None:
        self._fetch = fetch
        self._size = size
        self._at_once = at_once
        self._asked: dict[bytes, asyncio.Future[V]] = {}
        self._under_way: dict[bytes, asyncio.Future[V]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def ask(self, digest: bytes) -> V:
        """The value, from a fetch that begins after this call. Raises what the fetch raises."""
        return await self._answer(self._asked.get(digest), digest)

    async def ask_or_join(self, digest: bytes) -> V:
        """The value, from a fetch under way if there is one: for values that are checked by `as_of` in any case."""
        return await self._answer(self._under_way.get(digest) or self._asked.get(digest), digest)

    async def _answer(self, future: asyncio.Future[V] | None, digest: bytes) -> V:
        if future is None:
            future = self._asked[digest] = asyncio.get_running_loop().create_future()
            self._schedule()
        return await asyncio.shield(future)  # a request that is cancelled must not cancel the others' read

    async def join(self, digest: bytes) -> V | None:
        """The value from a fetch that began before this call, or `None` at once where there is none."""
        future = self._under_way.get(digest)
        return None if future is None else await asyncio.shield(future)

    async def close(self) -> None:
        """Wait for what is running: a fetch ends by itself, and cancelled in a statement it would lose a connection."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
            await asyncio.sleep(0)

    def _schedule(self) -> None:
        if not self._scheduled and len(self._running) < self._at_once:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._scheduled = False
        while self._asked and len(self._running) < self._at_once:
            batch = {digest: self._asked.pop(digest) for digest in list(islice(self._asked, self._size))}
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._running.add(task)
            task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._asked:
            self._schedule()

    async def _run(self, batch: Mapping[bytes, asyncio.Future[V]]) -> None:
        self._under_way |= batch
        try:
            values = await self._fetch(list(batch))
        except asyncio.CancelledError:
            for future in batch.values():
                future.cancel()
            raise
        except Exception as failure:  # noqa: BLE001 - goes to every asker, who decides
            for future in batch.values():
                future.set_exception(failure)
                future.exception()  # no complaint where every asker has gone
        else:
            for digest, future in batch.items():
                future.set_result(values[digest])
        finally:
            for digest, future in batch.items():
                if self._under_way.get(digest) is future:
                    del self._under_way[digest]
