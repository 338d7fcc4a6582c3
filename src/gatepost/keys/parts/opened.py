"""`Opened`: what is there while the keys are open, put together from the settings."""

import asyncio
import hmac
import threading
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gatepost.base import Clock, ConfigurationError, SecretFormat, Wait, Watch
from gatepost.base.trail import Links
from gatepost.keys.parts.announcing import Announcements
from gatepost.keys.parts.sealing import Sealing
from gatepost.keys.parts.settings import Settings
from gatepost.temporary import TemporaryFormat

if TYPE_CHECKING:
    from gatepost.connections import Guard
    from gatepost.database import Database
    from gatepost.freshness import Freshness, Propagations
    from gatepost.limits import Limiter
    from gatepost.lookup import Lookup
    from gatepost.redis import RedisTier
    from gatepost.usage import Flushing


@dataclass(frozen=True, slots=True)
class Opened:
    """What is there while the keys are open. `loop`: the event loop that its connections and tasks belong to. `thread`:
    the name of the thread that it runs in. `flushing`: `None` = usage is not counted. `temporary`: makes and reads
    temporary secrets; `issued_of`: by the ids of what was issued of, the digests of their secrets; `made_here`: of
    secrets that are known to be of gatepost's own making."""

    loop: asyncio.AbstractEventLoop
    thread: str
    database: "Database"
    format: SecretFormat
    redis: "RedisTier | None"
    freshness: "Freshness"
    lookup: "Lookup"
    guard: "Guard"
    propagations: "Propagations"
    announcements: Announcements
    limiter: "Limiter"
    flushing: "Flushing | None"
    sealing: Sealing
    temporary: TemporaryFormat
    issued_of: dict[str, bytes] = field(default_factory=dict)
    made_here: set[bytes] = field(default_factory=set)

    def check_loop(self) -> None:
        """Raises `ConfigurationError` in another event loop than its own."""
        here = asyncio.get_running_loop()
        if here is not self.loop:
            raise ConfigurationError(
                f"The keys were opened in the event loop {id(self.loop):#x} (thread {self.thread}) and are used in the "
                f"event loop {id(here):#x} (thread {threading.current_thread().name}): open them in the loop that uses "
                "them. In a test with a sync client, let the app's lifespan do it ('with TestClient(app) as client'), "
                "and call verbs by 'client.portal.call(keys.create, ...)'"
            )

    async def serve(self) -> None:
        """Begin to follow the change log, so that lookups may be remembered. One to four round trips; nothing where it
        runs already. Raises `UnavailableError`."""
        if not self.freshness.started:
            await self.freshness.start()
            self.sealing.begin()
            if self.redis is None:
                self.database.doorbell.listen()

    def derived_keys(self, purpose: str) -> Sequence[bytes]:
        """Keys of 32 bytes for a purpose of its own, one for each server key in their order: what signs cookies, so
        that every worker believes them."""
        return derived_keys(self.format, purpose)

    def watch(self, watch: Watch) -> None:
        """Have told what is waited for: from here on, and nothing else is touched."""
        self.lookup.watch(watch)
        _wrap(watch, Wait.POLL, self.freshness, "poll")
        _wrap(watch, Wait.CHANGE, self.database, "change")
        _wrap(watch, Wait.PROPAGATION, self.propagations, "follow")
        _wrap(watch, Wait.QUOTA, self.database.quotas, "lease")
        _wrap(watch, Wait.QUOTA, self.database.quotas, "charge")
        if self.redis is not None:
            _wrap(watch, Wait.LIMITS, self.redis, "count")

    async def close(self) -> None:
        """Close all of it, but for engines and clients that were handed in."""
        async with AsyncExitStack() as stack:  # each is closed whatever happens to those before it
            stack.push_async_callback(self.database.close)
            if self.redis is not None:
                stack.push_async_callback(self.redis.close)
            stack.push_async_callback(self.limiter.close)
            if self.flushing is not None:
                stack.push_async_callback(self.flushing.close)
            stack.push_async_callback(self.propagations.close)
            stack.push_async_callback(self.announcements.close)
            stack.push_async_callback(self.lookup.close)
            stack.push_async_callback(self.guard.stop)
            stack.push_async_callback(self.freshness.stop)
            stack.push_async_callback(self.sealing.close)


def _wrap(watch: Watch, wait: Wait, of: object, method: str) -> None:
    """Have the waits of a method told of, on that object alone: who is not watched pays not even for being asked."""
    setattr(of, method, watch.around(wait, getattr(of, method)))


def derived_keys(secret_format: SecretFormat, purpose: str) -> Sequence[bytes]:
    """As `Opened.derived_keys`."""
    label = b"gatepost key\0" + purpose.encode()
    return [hmac.digest(key, label, "sha256") for key in secret_format.server_keys]


async def connected(settings: Settings, database: "Database", redis: "RedisTier | None", clock: Clock) -> Opened:
    """Everything, on a database and a Redis that are not open yet. Raises `SchemaError`, `MissingExtraError`,
    `UnavailableError`, and leaves nothing open then. A Redis that does not answer is no error."""
    # SQLAlchemy, only where keys are opened
    from gatepost.connections import Connections, Guard  # noqa: PLC0415
    from gatepost.freshness import Freshness, Propagations  # noqa: PLC0415
    from gatepost.limits import Leases, Limiter, Members, SharedCounts  # noqa: PLC0415
    from gatepost.lookup import Lookup, MemoryTier  # noqa: PLC0415

    await database.open()
    try:
        stored = await database.read_settings()
        if redis is not None:
            await redis.open(stored["seal_key"])
    except BaseException:
        await database.close()
        raise
    memory = MemoryTier(settings.memory_entries)
    connections = Connections()
    freshness = Freshness(
        database,
        memory,
        connections,
        database.doorbell if redis is None else redis,
        max_staleness=settings.max_staleness,
        poll_interval=settings.poll_interval,
        clock=clock,
    )
    lookup = Lookup(
        database,
        memory,
        redis,
        freshness,
        memory_ttl=settings.memory_ttl,
        absent_ttl=settings.absent_ttl,
        environment=settings.environment,
        clock=clock,
    )
    guard = Guard(connections, lookup, freshness, clock=clock)
    propagations = Propagations(database, clock=clock)
    announcements = Announcements(database.doorbell, redis, freshness)
    limiter = Limiter(
        Leases(database.quotas, freshness.database_now, clock),
        None if redis is None else SharedCounts(redis),
        Members(database.workers.count, clock),
        clock=clock,
    )
    secret_format = SecretFormat(settings.server_keys or (stored["server_key"],), settings.prefix)
    loop = asyncio.get_running_loop()
    thread = threading.current_thread().name
    flushing = _counted(database, freshness, clock) if settings.usage else None
    return Opened(
        loop=loop,
        thread=thread,
        database=database,
        format=secret_format,
        redis=redis,
        freshness=freshness,
        lookup=lookup,
        guard=guard,
        propagations=propagations,
        announcements=announcements,
        limiter=limiter,
        flushing=flushing,
        sealing=Sealing(database.chain, Links(derived_keys(secret_format, "audit log")), lambda: freshness.applied),
        temporary=TemporaryFormat(derived_keys(secret_format, "temporary secret"), settings.prefix),
    )


def _derived(server_keys: Sequence[bytes], purpose: str) -> Sequence[bytes]:
    label = b"gatepost key\0" + purpose.encode()
    return [hmac.digest(key, label, "sha256") for key in server_keys]


def _counted(database: "Database", freshness: "Freshness", clock: Clock) -> "Flushing":
    """What counts requests, and writes the counts. Until the database's clock is known, the system's tells the day."""
    from gatepost.usage import Flushing, UsageCounter  # noqa: PLC0415

    def offset() -> float:
        return freshness.offset or time.time() - clock()

    flushing = Flushing(database.usage)
    flushing.counter = UsageCounter(clock, offset, flushing.wake)
    return flushing
