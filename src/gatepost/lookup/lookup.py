"""From a digest to what is known of it: memory, then Redis, then the database.

    digest ─┬ hit:        memory hit, usable, lease holds ──> the key, with no await
            ├ remembered: memory hit, lease holds ──> the key or that there is none
            └ seek:       Redis (one MGET for all) ─> another's read under way ─> own read (one SELECT for all)

Each step down is taken where the one above knows nothing that still counts (`Freshness.covers`). What Redis does not
hold is not asked of it again while the read that follows is under way: who comes meanwhile joins that. A database that
has let a read wait is not asked again until it answers a probe: meanwhile nobody waits for it.
"""

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from gatepost.base import (
    BoundedRecord,
    Clock,
    Coalescer,
    Found,
    LimitedRecord,
    Record,
    UnavailableError,
    Wait,
    Watch,
    boot_clock,
    decode,
    from_payload,
    to_payload,
)
from gatepost.compiled import memory_hit
from gatepost.database import READ_MAX, Database, Reading
from gatepost.freshness import FLOORS_MAX, Freshness
from gatepost.health import LookupCounts, MemoryStatus
from gatepost.lookup.memory import Bounded, MemoryTier
from gatepost.temporary import TemporaryRecord

if TYPE_CHECKING:
    from gatepost.redis import RedisTier  # redis-py is loaded only where there is a Redis

logger = logging.getLogger("gatepost.lookup")

REDIS_AT_ONCE = 4
DATABASE_AT_ONCE = 4
"""Statements at the same time: below the five connections of SQLAlchemy's pool, so that a change always finds one."""

HANGING_SECONDS = 0.25
"""A read that failed after so long has waited in vain, and so would others. One refused at once costs nothing."""

PROBE_SECONDS = 0.25
"""Between two probes of a database that did not answer; each may take as long as a read."""

TEMPORARY_MAX = 10_000
"""Most temporary secrets that are remembered, some 3 MB: one that is not costs a MAC, and no I/O."""

JITTER = 0.1
"""TTLs vary by this part, so that workers started together do not read all their keys again together."""


class Lookup:
    """One worker's way from digests to records. Times are seconds.

    `memory_ttl`: longest time in memory; `absent_ttl`: the same for unknown digests, in both tiers. `environment`: that
    of this process; a key for the other one is an `OutsideRecord`. A lookup waits for
    one statement, or for two where a shared one tells too little or all that may run at once are taken.
    """

    def __init__(
        self,
        database: Database,
        memory: MemoryTier,
        redis: "RedisTier | None",
        freshness: Freshness,
        *,
        memory_ttl: float,
        absent_ttl: float,
        environment: str | None = None,
        clock: Clock = boot_clock,
    ) -> None:
        self._database = database
        self._memory = memory
        self._redis = redis
        self._freshness = freshness
        self._memory_ttl = memory_ttl
        self._absent_ttl = absent_ttl
        self._environment = environment
        self._clock = clock
        self._remembered = memory.records.get
        self.temporary = Bounded[TemporaryRecord](min(memory.records.entries, TEMPORARY_MAX))
        """What is left of temporary secrets, by their own digests; counts only beside the very record of the parent."""
        self.counts = LookupCounts()
        self._from_redis = Coalescer(self._fetch_from_redis, size=READ_MAX, at_once=REDIS_AT_ONCE)
        self._from_database = Coalescer(self._fetch_from_database, size=READ_MAX, at_once=DATABASE_AT_ONCE)
        self._ask_redis: Callable[[bytes], Awaitable[Found | None]] = self._from_redis.ask_or_join
        self._sought: set[bytes] = set()
        """Digests that are being read from the database, or are about to be, because Redis was of no help."""
        self._unshown: Counter[bytes] = Counter()
        self._probing: asyncio.Task[None] | None = None
        self._hung_at = 0.0

    def hit(self, digest: bytes) -> Record | None:
        """The key of the secret with this digest (32 bytes), if memory holds it, it may still be believed, and the key
        may be used now, by any request; else `None`: ask on."""
        remembered, clock = self._remembered, self._clock  # as methods they would be looked up in the class first
        record = remembered(digest)
        if record is not None:
            now = clock()
            freshness = self._freshness
            if now < freshness.until and now < record.until and now + freshness.offset < record.usable_until:
                return record
        return None

    def bounded_hit(self, digest: bytes) -> BoundedRecord | None:
        """As `hit`, of the keys that have networks or limits, for which it answers `None`: the request is to be held
        against these still."""
        record: Found | None = self._remembered(digest)
        if type(record) is LimitedRecord or type(record) is BoundedRecord:  # and no class below: not one from outside
            now = self._clock()
            freshness = self._freshness
            if now < freshness.until and now < record.until and now + freshness.offset < record.ends_at:
                return record
        return None

    def temporary_hit(self, digest: bytes) -> TemporaryRecord | None:
        """What is left of the temporary secret with this digest (32 bytes), if memory holds it, and still holds the
        record that it was worked out from, and both count now; else `None`: ask on. The request is to be held against
        its bounds still."""
        record = self.temporary.get(digest)
        if record is not None and self._remembered(record.digest) is record.parent:
            now = self._clock()
            freshness = self._freshness
            if now < freshness.until and now < record.until and now + freshness.offset < record.ends_at:
                return record
        return None

    def remember_temporary(self, digest: bytes, record: TemporaryRecord) -> None:
        """Keep what is left of the temporary secret with this digest, which was found to be genuine."""
        if self.temporary.entries:
            self.temporary.put(digest, record)

    def stands(self, digest: bytes, key: Record) -> bool:
        """Whether a key that was found by its secret's digest is usable still, with nothing known of a later change. No
        I/O. `False` = ask anew."""
        freshness = self._freshness
        return freshness.covers(digest, key) and freshness.database_now() < key.ends_at

    def fastest_hit(self) -> Callable[[bytes], Record | None]:
        """`hit`, compiled where that was built."""
        return memory_hit(self._memory.records, self.temporary, self._freshness, self._clock) or self.hit

    def remembered(self, digest: bytes) -> Found | None:
        """What memory knows of `digest` (32 bytes), if it may still be believed, usable or not; else `None`."""
        now = self._clock()
        if now < self._freshness.until:
            found = self._memory.get(digest, now)
            if found is not None:
                self.counts.lookups += 1
                self.counts.from_memory += 1
                return found
        return None

    async def find(self, digest: bytes) -> Found:
        """What is known of `digest` (32 bytes), from the first place where that still counts. Raises as `seek`."""
        return self.remembered(digest) or await self.seek(digest)

    async def witness(self, digest: bytes) -> Found:
        """As `find`, where nobody has shown a secret with this `digest`: so nothing of it gets into memory, whose keys
        are let in without a look at the secret's form and HMAC. Raises as `seek`."""
        self._unshown[digest] += 1
        finding = asyncio.ensure_future(self.find(digest))
        finding.add_done_callback(partial(self._witnessed, digest))
        return await asyncio.shield(finding)  # what is under way ends, and only then may the digest be remembered again

    def _witnessed(self, digest: bytes, finding: "asyncio.Task[Found]") -> None:
        self._unshown[digest] -= 1
        if not self._unshown[digest]:
            del self._unshown[digest]
        if not finding.cancelled():
            finding.exception()  # is told to whoever waits; there may be nobody any more

    async def seek(self, digest: bytes) -> Found:
        """What is known of `digest` (32 bytes) beyond memory, from the first place where that still counts.

        Raises `UnavailableError` where the database, needed, does not answer; at once, where it is being probed.
        """
        freshness = self._freshness
        counts = self.counts
        counts.lookups += 1
        if self._clock() < freshness.until:
            if self._redis is not None and self._redis.healthy and digest not in self._sought:
                found = await self._ask_redis(digest)
                if found is not None and freshness.covers(digest, found):
                    counts.from_redis += 1
                    return found
            reading = self._from_database.join(digest)
            if reading is not None:
                found = await self._counted(reading)
                if freshness.covers(digest, found):
                    counts.from_database += 1
                    return found
        self._sought.add(digest)
        found = await self._counted(self._from_database.ask(digest))
        counts.from_database += 1
        return found

    async def find_fresh(self, digest: bytes) -> Found:
        """What the database says of `digest` (32 bytes), read after this call, whatever the tiers hold. One round trip,
        shared with others that ask in the same turn. Raises `UnavailableError`."""
        self.counts.lookups += 1
        found = await self._counted(self._from_database.ask(digest))
        self.counts.from_database += 1
        return found

    def watch(self, watch: Watch) -> None:
        """Have told how long lookups wait, for Redis and for the database."""
        self._ask_redis = watch.around(Wait.REDIS, self._ask_redis)
        self._counted = watch.around(Wait.DATABASE, self._counted)  # type: ignore[method-assign, assignment]

    @property
    def asks_database(self) -> bool:
        """Whether it asks the database; false while that has let a read wait, and is being probed."""
        return not self._is_probing() or self._has_answered()

    def sizes(self) -> MemoryStatus:
        """What this process remembers."""
        keys, absent = self._memory.records, self._memory.absent
        return MemoryStatus(
            keys=len(keys),
            keys_max=keys.entries,
            absent=len(absent),
            absent_max=absent.entries,
            floors=self._freshness.floors,
            floors_max=FLOORS_MAX,
        )

    async def _counted(self, reading: Awaitable[Found]) -> Found:
        try:
            return await reading
        except UnavailableError:
            self.counts.unanswered += 1
            raise

    async def close(self) -> None:
        """End what is under way."""
        await self._from_redis.close()
        await self._from_database.close()
        if self._probing is not None:  # only now: a read that was under way may have begun it
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    async def _fetch_from_redis(self, digests: Sequence[bytes]) -> Mapping[bytes, Found | None]:
        payloads = await self._redis.get(digests) if self._redis is not None else {}
        answers: dict[bytes, Found | None] = dict.fromkeys(digests)
        self.counts.gets += 1
        self.counts.gets_digests += len(digests)
        self.counts.gets_found += len(payloads)
        lives = self._lives()
        for digest, payload in payloads.items():
            row, as_of = from_payload(payload)
            answers[digest] = self._remember(digest, decode(row, as_of, lives[row is None], self._environment))
        freshness = self._freshness
        holds = freshness.holds()  # once for all of them: whoever wakes up looks at it again (`seek`)
        for digest, found in answers.items():
            if not holds or found is None or not freshness.not_below_floor(digest, found):
                self._sought.add(digest)  # in this very step: whoever comes before the askers wake up finds the read
                self._from_database.expect(digest)
        return answers

    async def _fetch_from_database(self, digests: Sequence[bytes]) -> Mapping[bytes, Found]:
        try:
            reading = await self._read(digests)
        finally:
            self._sought.difference_update(digests)
        answers = {}
        self.counts.reads += 1
        self.counts.reads_digests += len(digests)
        self.counts.reads_found += len(reading.rows)
        lives = self._lives()
        for digest in digests:
            row = reading.rows.get(digest)
            answers[digest] = self._remember(digest, decode(row, reading.as_of, lives[row is None], self._environment))
            if self._redis is not None:
                self._redis.put(digest, to_payload(row, reading.as_of), None if row else self._absent_ttl)
        return answers

    async def _read(self, digests: Sequence[bytes]) -> Reading:
        if not self.asks_database:
            raise UnavailableError("Looking up a key: the database does not answer, and is being probed")
        begun = self._clock()
        try:
            return await self._database.read_records(digests)
        except UnavailableError:
            now = self._clock()
            if now - begun > HANGING_SECONDS:
                self._hung_at = now
                if not self._is_probing():
                    logger.warning("The database lets reads wait: not asking it until it answers a probe or a poll")
                    self._probing = asyncio.create_task(self._probe())
            raise

    def _is_probing(self) -> bool:
        return self._probing is not None and not self._probing.done()

    def _has_answered(self) -> bool:
        """Whether a poll has succeeded since a read waited in vain."""
        return self._freshness.polled_ago() < self._clock() - self._hung_at

    async def _probe(self) -> None:
        while True:
            try:
                with contextlib.suppress(UnavailableError):
                    await self._database.read_position()
                    break
            except Exception:  # the task must outlive a fault of ours: without it the database is never asked again
                logger.exception("Probing the database failed")
            await asyncio.sleep(PROBE_SECONDS * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - spreads load
        logger.warning("The database answers again")

    def _lives(self) -> tuple[float, float]:
        """Until when memory may hold keys, and unknown digests, that are read now (boot clock). One pair a batch: what
        lapses together is read again together."""
        jitter = random.uniform(1 - JITTER, 1)  # noqa: S311 - spreads load, no secret
        now = self._clock()
        return now + self._memory_ttl * jitter, now + self._absent_ttl * jitter

    def _remember(self, digest: bytes, found: Found) -> Found:
        if digest in self._unshown:
            return found
        if self._freshness.not_below_floor(digest, found):
            self._memory.put(digest, found)
        return found
