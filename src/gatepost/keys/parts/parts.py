"""`Parts`: what the verbs work with. The settings, the clock, and what is there while the keys are open."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from gatepost.base import Clock, ConfigurationError, Listener, UnavailableError, Watch, boot_clock
from gatepost.keys.parts.opened import Opened, connected
from gatepost.keys.parts.settings import Settings
from gatepost.keys.parts.variables import named

if TYPE_CHECKING:
    from gatepost.database import Database
    from gatepost.redis import RedisTier

T = TypeVar("T")


class Parts:
    """Opens and closes what the keys are made of, and gives it to whoever may have it: in one event loop only.

    `current`: what is open, `None` = nothing. A verb that has waited asks for it again (`opened`): the keys may have
    been closed meanwhile. `app_has_limits`: an app around the keys has rates or slots of its own. `watch`: who is told
    of waits and refusals; `None` = nobody, and then nothing is wrapped. `said`: the arguments that variables
    of the environment gave, which errors then name.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock: Clock = boot_clock
        self.current: Opened | None = None
        self.app_has_limits = False
        self.said: frozenset[str] = frozenset()
        self.watch: Watch | None = None
        self._turn = asyncio.Lock()
        self._turn_in: asyncio.AbstractEventLoop | None = None
        self._failure: tuple[float, str] | None = None
        self.stands_back = False
        """Whether others are in its place, and what kept it must reach nothing."""

    @property
    def is_open(self) -> bool:
        """Whether anything is open, in an event loop that is still there."""
        return self.current is not None and not self.current.loop.is_closed()

    def opened(self) -> Opened:
        """What is open. Raises `ConfigurationError` where nothing is, or in another event loop: a connection that is
        used in two is spoilt."""
        opened = self.current
        if opened is None or opened.loop.is_closed():
            raise ConfigurationError("The keys are not open: write 'async with keys:', or let the app's lifespan do it")
        opened.check_loop()
        return opened

    @property
    def database(self) -> "Database":
        """The open database. Raises as `opened` does."""
        return self.opened().database

    def turn(self) -> asyncio.Lock:
        """The lock around opening and closing: a lock belongs to the event loop in which somebody waited for it. Raises
        `ConfigurationError` where the keys are open in another."""
        if self.current is not None and self.is_open:
            self.current.check_loop()
        loop = asyncio.get_running_loop()
        if self._turn_in is not loop:
            self._turn, self._turn_in = asyncio.Lock(), loop
        return self._turn

    async def open(self, asked: float) -> bool:
        """Open everything, under the lock `turn`; answers whether this call did it. `asked`: monotonic seconds, when
        the caller began to wait for the lock. Raises as `APIKeys.open` does."""
        if self.is_open:
            return False
        if self._failure is not None and self._failure[0] > asked:  # failed while this call waited: no use to queue
            raise UnavailableError(self._failure[1])
        try:
            redis = self.new_redis()
            with named(self.said):
                self.current = await connected(self.settings, self.new_database(), redis, self.clock)
        except UnavailableError as failure:
            self._failure = (time.monotonic(), str(failure))
            raise
        if self.watch is not None:
            self.current.watch(self.watch)
        return True

    def listen(self, listener: Listener) -> None:
        """Have somebody told of waits and refusals, from now on; of waits that are under way nobody is."""
        if self.watch is None:
            self.watch = Watch()
            if self.current is not None:
                self.current.watch(self.watch)
        self.watch.add(listener)

    async def close(self) -> None:
        """Close what is open, under the lock `turn`; what belongs to an event loop that is gone is let go."""
        if self.watch is not None and self.current is not None:
            self.watch.closing()
        opened, self.current = self.current, None
        if opened is not None and not opened.loop.is_closed():
            await opened.close()

    def forget(self) -> None:
        """Have nothing open any more, without closing it: it is another process's."""
        self.current = None
        self._turn_in = None

    async def with_database(self, use: Callable[["Database"], Awaitable[T]]) -> T:
        """Run `use` on the database, connected for the time where the keys are not open."""
        if self.is_open:
            return await use(self.opened().database)
        database = self.new_database()
        with named(self.said):
            database.connect()
        try:
            return await use(database)
        finally:
            await database.close()

    def new_database(self) -> "Database":
        """The database that the settings name, not connected yet. Raises `ConfigurationError` while others stand in."""
        self._check_in_place()
        from gatepost.database import Database  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        return Database(self.settings.database, timeout=self.settings.read_timeout)

    def new_redis(self) -> "RedisTier | None":
        """The Redis tier that the settings name, not connected yet; `None` = none is named."""
        self._check_in_place()
        if self.settings.redis is None:
            return None
        from gatepost.redis import RedisTier  # noqa: PLC0415 - redis-py, only where there is a Redis

        with named(self.said):
            return RedisTier(self.settings.redis, ttl=self.settings.redis_ttl, timeout=self.settings.redis_timeout)

    def _check_in_place(self) -> None:
        if self.stands_back:
            raise ConfigurationError(
                "Others stand in for these keys (gatepost.testing), and what was kept of them from before would reach "
                "their real database: take keys.roles, keys.policies and the like anew, as in 'await keys.roles.list()'"
            )


def know_nothing(_digest: bytes) -> None:
    """What is remembered while the keys are closed."""


def do_nothing() -> None:
    """What ends the watch over a connection that nobody watches."""
