"""`StandIn`: the parts of an app's own keys, on the test's database, Redis and clock. What decides is the real code.

keys = APIKeys(URL, redis=URL)   made when the app is imported, and what its middleware holds
  └─ _parts ──put in their place while tests run──> StandIn: same settings, same tiers; other database, Redis, clock
"""

import asyncio
from typing import TYPE_CHECKING

from gatepost.keys.parts import Parts, Settings
from gatepost.testing.loop import loop_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatepost.base import Clock
    from gatepost.database import Database
    from gatepost.redis import RedisTier
    from gatepost.testing.inline import InlineEngine
    from gatepost.testing.redis import FakeServer

HEAR_SECONDS = 10.0
"""How long keys in another thread may take to hear of a change: milliseconds, unless the test blocks their loop."""


class StandIn(Parts):
    """Opens what it is given in place of what the settings name. `server`: the Redis, asked for only where the settings
    name one."""

    def __init__(
        self, settings: Settings, engine: "InlineEngine", clock: "Clock", server: "Callable[[], FakeServer]"
    ) -> None:
        super().__init__(settings)
        self.clock = clock
        self._engine = engine
        self._server = server

    @property
    def is_open(self) -> bool:
        """Whether anything is open that whoever asks could use. An event loop that does not run while another one does,
        as that of a session while a test has its own, has left its keys to it."""
        if self.current is None or self.current.loop.is_closed():
            return False
        here = loop_here()
        return here in (None, self.current.loop) or self.current.loop.is_running()

    async def open(self, asked: float) -> bool:
        """As `Parts.open`. What is open in a loop that does not run is let go, and ends with its loop."""
        if self.current is not None and not self.is_open:
            self.end_lease()
            self.current.freshness._stopped = True  # noqa: SLF001 - it cannot be awaited: its loop does not run
        return await super().open(asked)

    async def close(self) -> None:
        """As `Parts.close`, but for usage, which is written later (`LateUsage`)."""
        if self.current is not None:
            self.current.database.usage.is_closing = True  # type: ignore[attr-defined]  # of `InMemory`
        await super().close()

    async def write_late_usage(self) -> None:
        """Have in the database what was counted by keys that were closed."""
        await self.opened().database.usage.write_late()  # type: ignore[attr-defined]

    def new_database(self) -> "Database":
        """On the test's engine."""
        from gatepost.testing.memory import InMemory  # noqa: PLC0415 - SQLAlchemy

        return InMemory(self._engine, timeout=self.settings.read_timeout, late=self._engine.late_usage)

    def new_redis(self) -> "RedisTier | None":
        """On the test's Redis, where the keys have one."""
        if self.settings.redis is None:
            return None
        from gatepost.testing import redis_tier  # noqa: PLC0415 - redis-py

        return redis_tier.fake_tier(self._server(), ttl=self.settings.redis_ttl, timeout=self.settings.redis_timeout)

    def settle(self) -> None:
        """Hold no lock, where the event loop is the caller's, who is about to block it."""
        if self.current is not None and self.current.loop is loop_here():
            self._engine.settle()

    def hear(self) -> None:
        """Have the keys know of every change that was committed before this call, as they do when a worker that made
        one waits for the others. Where their event loop is the caller's they cannot be waited for: their lease ends, so
        they read the database until they have polled."""
        opened = self.current
        if opened is None:
            return
        if opened.loop.is_closed():
            self.end_lease()
        elif opened.loop.is_running() and opened.loop is not loop_here():
            asyncio.run_coroutine_threadsafe(opened.freshness.catch_up(), opened.loop).result(HEAR_SECONDS)
        else:
            self.end_lease()
            (opened.redis or opened.database.doorbell).nudged.set()

    def end_lease(self) -> None:
        """What is remembered counts no more, until the keys have polled: where their event loop was closed, never."""
        if self.current is not None:
            self.current.freshness.until = 0.0
