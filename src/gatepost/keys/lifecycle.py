"""Keys that are opened, serve, and are closed: by a lifespan, around a block of code, in a forked process."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from gatepost.base import BoundedRecord, ConfigurationError, Listener, Record, Watch, Worker
from gatepost.keys.parts import Parts, Settings, forget_at_fork, know_nothing
from gatepost.keys.policies import Policies
from gatepost.keys.roles import Roles

if TYPE_CHECKING:
    import asyncio

    from gatepost.database import Database, Deliveries
    from gatepost.health import Figures
    from gatepost.keys.parts import Opened
    from gatepost.limits import Limiter
    from gatepost.temporary import TemporaryRecord
    from gatepost.usage import UsageCounter


class Lifecycle:
    """What `APIKeys` is beside its verbs: its parts, open or closed, and what a request asks of them."""

    def __init__(self, settings: Settings) -> None:
        self._parts = Parts(settings)
        self.hit: Callable[[bytes], Record | None] = know_nothing
        """The key of the secret with this digest (32 bytes), if this process remembers it and it may be used now;
        `None` = ask `judge`. No I/O. An attribute, so that a memory hit is one call: while the keys are open
        `Lookup.hit`, or the same compiled."""
        self.bounded_hit: Callable[[bytes], BoundedRecord | None] = know_nothing
        """As `hit`, for keys that have bounds, of which `hit` answers none: the request is to be held against them."""
        self.temporary_hit: Callable[[bytes], TemporaryRecord | None] = know_nothing
        """As `bounded_hit`, of temporary secrets: `Lookup.temporary_hit`."""
        self.open_limiter: Limiter | None = None
        """As `limiter`; `None` while the keys are closed. An attribute likewise."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop that the keys were opened in; `None` while they are closed."""
        self.uses: UsageCounter | None = None
        """What counts requests; `None` = nothing does, also while the keys are closed."""

    def said_by_variables(self, arguments: Iterable[str]) -> Self:
        """The same keys, which are to name the variable of the environment where one of these `arguments` cannot be
        used: it gave them. Raises nothing."""
        self._parts.said = frozenset(arguments)
        return self

    @property
    def counts_usage(self) -> bool:
        """Whether requests are counted while the keys are open."""
        return self._parts.settings.usage

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    @property
    def is_open(self) -> bool:
        """Whether the keys can be used now: opened, in an event loop that is still there."""
        return self._parts.is_open

    async def open(self) -> bool:
        """Connect to the database; answers whether this call did it (`False`: they were open already).

        Raises `SchemaError` where the tables are missing or do not fit (an SQLite file gets them by itself),
        `MissingExtraError`, `UnavailableError`, `ConfigurationError` where they are open in another event loop. A Redis
        that does not answer is no error.
        """
        asked = time.monotonic()
        async with self._parts.turn():
            if not await self._parts.open(asked):
                return False
            opened = self._opened()
            self.hit, self.loop = opened.lookup.fastest_hit(), opened.loop
            self.bounded_hit = opened.lookup.bounded_hit
            self.temporary_hit = opened.lookup.temporary_hit
            self.open_limiter = opened.limiter
            self.uses = None if opened.flushing is None else opened.flushing.counter
            forget_at_fork(self)
            return True

    async def close(self) -> None:
        """Close what `open` opened. Engines and clients that were handed in stay open. Raises `ConfigurationError` in
        another event loop than that they were opened in, unless that is closed."""
        async with self._parts.turn():
            self._know_nothing()
            await self._parts.close()

    @contextmanager
    def with_parts(self, made: Callable[[Settings], Parts]) -> Iterator[Parts]:
        """Have other parts, made of the same settings by `made`, in the place of these for a while: for
        `gatepost.testing`. Raises `ConfigurationError` where the keys are open."""
        if self.is_open:
            raise ConfigurationError("The keys are open: their parts cannot be exchanged under whoever uses them")
        own, self._parts = self._parts, made(self._parts.settings)
        own.stands_back = True
        try:
            yield self._parts
        finally:
            own.stands_back = False
            self._parts = own
            self._know_nothing()

    def _forget_in_child(self) -> None:
        """In a process that was forked: nothing that was remembered counts until it opens the keys for itself."""
        self._parts.forget()
        self._know_nothing()

    def _know_nothing(self) -> None:
        self.hit = self.bounded_hit = self.temporary_hit = know_nothing
        self.open_limiter = None
        self.loop = self.uses = None

    def _opened(self) -> "Opened":
        return self._parts.opened()

    @property
    def _database(self) -> "Database":
        return self._parts.database

    async def serve(self) -> None:
        """Begin to follow the change log, so that lookups may be remembered. The middleware and `verify` do it
        themselves. One to four round trips; nothing where it runs already. Where the app has limits that each worker
        has a part of, the log says so. Raises `UnavailableError`."""
        opened = self._opened()
        await opened.serve()
        if self._parts.app_has_limits and opened.redis is None:
            await opened.limiter.learn_parts()

    @property
    def limiter(self) -> "Limiter":
        """What takes from limits in this process. Raises `ConfigurationError` while the keys are closed."""
        return self._opened().limiter if self.open_limiter is None else self.open_limiter

    def note_limits(self) -> None:
        """An app around these keys has rates or slots of its own: for `status`, which looks for those of keys only.
        Raises nothing."""
        self._parts.app_has_limits = True

    @property
    def roles(self) -> Roles:
        """The verbs for roles, which keys hold by name: `await keys.roles.create("editor", ["FILE_UPLOAD"])`."""
        return Roles(self._parts)

    @property
    def policies(self) -> Policies:
        """What is asked of all keys, and of those of each project: to be set, read and previewed."""
        return Policies(self._parts)

    @property
    def deliveries(self) -> "Deliveries":
        """The tables of what is told to the outside. Raises `ConfigurationError` while the keys are closed."""
        return self._opened().database.deliveries

    @property
    def lease_seconds(self) -> float:
        """For how long what is remembered here may be believed without a word from the database; 0 = not at all."""
        return 0.0 if self._parts.current is None else self._parts.current.freshness.lease_seconds()

    @property
    def worker(self) -> Worker | None:
        """This process's place among the workers; `None` while it has none."""
        return None if self._parts.current is None else self._parts.current.freshness.worker

    @property
    def watch(self) -> Watch | None:
        """Who is told of waits and refusals here; `None` = nobody."""
        return self._parts.watch

    def listen(self, listener: Listener) -> None:
        """Have `listener` told of waits and refusals here, open or not: telemetry. Raises nothing."""
        self._parts.listen(listener)

    def figures(self) -> "Figures | None":
        """What this process has counted and believes; `None` while the keys are closed. No I/O; from any thread. Raises
        nothing."""
        from gatepost.keys.parts import figures  # noqa: PLC0415 - only where telemetry is on

        return figures.read(self._parts.current)

    async def ping(self) -> None:
        """Return when the database has answered. One round trip. Raises `UnavailableError`, and `ConfigurationError`
        where the keys are closed."""
        await self._database.read_position()

    def derived_keys(self, purpose: str) -> Sequence[bytes]:
        """Keys of 32 bytes for a `purpose` of its own, one for each server key in their order: what signs cookies, so
        that every worker believes them. Raises `ConfigurationError` while the keys are closed."""
        return self._opened().derived_keys(purpose)
