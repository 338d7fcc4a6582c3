"""The Redis tier: sealed values that every worker shares, and a doorbell. Nothing in it decides anything.

A Redis that fails costs one short timeout; then a breaker skips it, and a background task probes it until it answers:
of a cluster every node, for one that hangs would be found anew by each lookup (docs/decisions/0040). Nothing here
raises for a fault of Redis. Names and values:

    gatepost:<4 characters for installation and form>:<16 bytes: start of the digest>
    <16 bytes: BLAKE2b keyed with the installation's seal key, over digest and payload> <payload: `record.to_payload`>
    gatepost:{<the 4 characters>}:<16 bytes: of a limit's bucket>    what limits count: all at one node of a cluster
"""

import asyncio
import contextlib
import hmac
import logging
import random
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import islice

from redis.exceptions import ConnectionError as LostError
from redis.exceptions import InvalidResponse, RedisClusterException, RedisError, ResponseError

from gatepost.base import Timeout, line_of
from gatepost.redis.clients import RedisClient, server_of
from gatepost.redis.doorbell import Doorbell
from gatepost.redis.scripts import LIMITS
from gatepost.redis.single import Single

logger = logging.getLogger("gatepost.redis")

FORMAT = b"gatepost rows 7"
"""Names the form of payloads. Versions of gatepost with another form neither see nor disturb these values."""

COUNTS = b"gatepost counts"
"""The same for what limits count: a new form of payloads is no reason to begin it anew."""

NAMESPACE_BYTES = 3
"""What they are a hash of may be the same by chance: names differ by their digests too, and seals in any case. As text
without braces, for in a cluster these may make all names go to one node."""

NAME_BYTES = 16
"""Of a digest in a name, which then has 30 bytes: what Redis gives 32 bytes of memory, and for one more 40. No less
sure than the whole digest, for the seal is over that."""

SEAL_BYTES = 16
"""128 bits: forging a seal by guessing is out of reach (RFC 7693 allows 1 to 64)."""

PENDING_WRITES_MAX = 10_000
"""Most values waiting to be written. When Redis cannot keep up, newer ones are not queued: it only loses speed."""

WRITE_BATCH = 500
"""Values per pipeline."""

PROBE_SECONDS = (0.05, 1.0)
"""First and longest pause between two probes of a Redis that failed."""

REFUSED_SECONDS = 60.0
"""Until a Redis that has refused the doorbell is tried again: rights may be given while workers run."""

JITTER = 0.1
"""TTLs vary by this part, so that values written together do not lapse together."""

_FAULTS = (RedisError, RedisClusterException, OSError, TimeoutError, asyncio.IncompleteReadError)


class RedisTier:
    """Values by digest (32 bytes) in a Redis of ours (a URL) or of the user (a client, who closes it).

    `ttl`: seconds a value lives. `timeout`: seconds that one exchange may take.
    """

    def __init__(self, redis: str | RedisClient | Single, *, ttl: float, timeout: float) -> None:
        self._ttl = ttl
        self._timeout = timeout
        self._owned = isinstance(redis, str)
        self._server = server_of(redis)
        self._client = self._server.client
        self._sealing = blake2b()
        self._prefix = b""
        self._limits_prefix = b""
        self._limits_refusal: str | None = None
        self._doorbell = Doorbell(self._server, b"gatepost:", timeout=timeout)
        self._doorbell_refusal: str | None = None
        self._doorbell_tried = asyncio.Event()
        self._healthy = False
        self._fault: BaseException | None = None
        self._closed = False
        self._pending: dict[bytes, tuple[bytes, float] | None] = {}
        self._wake_writer = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._probe: asyncio.Task[None] | None = None
        self._writing = False
        self.nudged = asyncio.Event()

    async def open(self, seal_key: bytes) -> None:
        """Begin. `seal_key`: 32 bytes, the same in every worker. Does not wait for a Redis that does not answer; where
        it does, it is known after this whether it passes nudges on."""
        self._sealing = blake2b(digest_size=SEAL_BYTES, key=seal_key, person=FORMAT)
        namespace = blake2b(seal_key, digest_size=NAMESPACE_BYTES, person=FORMAT).digest()
        self._prefix = b"gatepost:" + urlsafe_b64encode(namespace) + b":"
        counts = blake2b(seal_key, digest_size=NAMESPACE_BYTES, person=COUNTS).digest()
        self._limits_prefix = b"gatepost:{" + urlsafe_b64encode(counts) + b"}:"
        self._doorbell = Doorbell(self._server, self._prefix, timeout=self._timeout)
        fault = await self._ping()
        self._healthy = fault is None
        if fault is not None:
            self._trip(fault)
        self._tasks = {asyncio.create_task(self._listen()), asyncio.create_task(self._write())}
        if fault is None:
            with contextlib.suppress(TimeoutError):
                async with Timeout(self._timeout):
                    await self._doorbell_tried.wait()

    async def close(self) -> None:
        """Stop the background tasks, and close the client if it is ours."""
        self._closed = True
        tasks = self._tasks | ({self._probe} if self._probe else set())
        self._tasks, self._probe, self._healthy = set(), None, False
        while tasks:  # again and again: redis-py 8.1 can lose a cancellation that meets its own timeout
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=self._timeout)
        self._pending.clear()
        with contextlib.suppress(*_FAULTS):
            async with Timeout(self._timeout):
                await self._server.rest()
                if self._owned:
                    await self._server.close()

    @property
    def healthy(self) -> bool:
        """Whether Redis is being asked; false while the breaker skips it."""
        return self._healthy

    @property
    def hears(self) -> bool:
        """Whether a nudge would be heard, as far as is known."""
        return self._healthy and self._doorbell_refusal is None

    @property
    def fault(self) -> str | None:
        """Why the breaker skips it, in a line; `None` while it does not."""
        return None if self._fault is None else line_of(self._fault)

    async def check(self) -> str | None:
        """Ask it now: why it does not answer, in a line, or `None`. Changes nothing; works before `open` too. One
        exchange."""
        fault = await self._ping()
        return None if fault is None else line_of(fault)

    async def check_doorbell(self) -> str | None:
        """Why Redis refuses to pass nudges on, in a line, or `None`. Tried now where the tier is not open: three
        exchanges."""
        if self._tasks:
            return self._doorbell_refusal
        try:
            async with Timeout(self._timeout), contextlib.aclosing(self._doorbell.nudges()) as nudges:
                await anext(nudges, None)
        except ResponseError as refusal:
            return line_of(refusal)
        except _FAULTS:
            return None  # it has gone away meanwhile, which is another matter
        return None

    async def get(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """The payloads held for `digests` whose seal is right. One `MGET`; empty where Redis fails."""
        if not self._healthy:
            return {}
        prefix = self._prefix
        names = [prefix + digest[:NAME_BYTES] for digest in digests]
        try:
            async with Timeout(self._timeout):
                values = await self._server.mget(names)
                if len(values) != len(names):
                    raise InvalidResponse(f"{len(values)} values for {len(names)} names")
        except _FAULTS as fault:
            self._trip(fault)
            return {}
        payloads = {}
        for digest, value in zip(digests, values, strict=True):
            if value is None:
                continue
            payload = value[SEAL_BYTES:]
            if hmac.compare_digest(value[:SEAL_BYTES], self._seal(digest, payload)):
                payloads[digest] = payload
            else:
                logger.warning("A value in Redis has a wrong seal: written by something else, or tampered with")
        return payloads

    def put(self, digest: bytes, payload: bytes, ttl: float | None = None) -> None:
        """Write a value soon, in the background. `ttl`: seconds, `None` = the tier's. Dropped where Redis is behind."""
        if self._healthy and len(self._pending) < PENDING_WRITES_MAX:
            lives = (self._ttl if ttl is None else ttl) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
            self._pending[digest] = (self._seal(digest, payload) + payload, lives)
            self._wake_writer.set()

    def drop(self, digests: Iterable[bytes]) -> None:
        """Delete values soon, in the background."""
        if self._healthy:
            self._pending |= dict.fromkeys(digests)
            self._wake_writer.set()

    async def count(self, buckets: Sequence[bytes], words: Sequence[bytes]) -> Sequence[int] | None:
        """What `limits.lua` answers about buckets (16 bytes each); `None` where Redis fails or refuses. One exchange.

        All names have one hash tag: what a request is limited by is taken as a whole, so it must lie at one node.
        """
        if not self._healthy:
            return None
        try:
            async with Timeout(self._timeout):
                names = [self._limits_prefix + bucket for bucket in buckets]
                answers: Sequence[int] = await LIMITS.run(self._server.execute, names, words)
        except ResponseError as refusal:  # full, a read-only replica, or a user without the rights: lookups go on
            if self._limits_refusal is None:
                logger.warning(
                    "Redis refuses to count for limits (%s): each falls back to its on_outage. Where rights are "
                    "missing, give its user: ACL SETUSER NAME +eval +evalsha +time +get +set +zadd +zcard +zrem "
                    "+zremrangebyscore +pexpire",
                    line_of(refusal),
                )
            self._limits_refusal = line_of(refusal)
            return None
        except _FAULTS as fault:
            self._trip(fault)
            return None
        self._limits_refusal = None
        return answers

    @property
    def limits_refusal(self) -> str | None:
        """Why Redis refused to count for limits the last time, in a line; `None` = it did not."""
        return self._limits_refusal

    async def nudge(self) -> None:
        """Ring at every worker, so that it polls now. May be lost; nobody relies on it."""
        if self._healthy:
            try:
                await self._doorbell.ring()
            except ResponseError as refusal:  # lookups go on, others poll
                self._note_refusal(refusal)
            except _FAULTS as fault:
                self._trip(fault)

    def _name(self, digest: bytes) -> bytes:
        return self._prefix + digest[:NAME_BYTES]

    def _seal(self, digest: bytes, payload: bytes) -> bytes:
        seal = self._sealing.copy()  # keyed once
        seal.update(digest + payload)
        return seal.digest()

    async def _ping(self, *, relearn: bool = False) -> BaseException | None:
        """What keeps Redis from answering, or `None`. `relearn`: first ask anew where it is, if it can be elsewhere."""
        try:
            async with Timeout(self._timeout):
                if relearn:
                    await self._server.relearn()
                await self._server.probe((self._prefix or b"gatepost:") + b"probe")
        except _FAULTS as fault:
            return fault
        return None

    def _trip(self, fault: BaseException) -> None:
        """Skip Redis from now on, and probe it in the background."""
        self._healthy = False
        self._fault = fault
        self._pending.clear()
        if self._probe is None and not self._closed:
            logger.warning("Redis does not answer (%s): going on without it", line_of(fault))
            self._probe = asyncio.create_task(self._recover())

    async def _recover(self) -> None:
        pause, longest = PROBE_SECONDS
        while True:
            await asyncio.sleep(pause * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
            try:
                if await self._ping(relearn=True) is None:
                    break
            except Exception:  # the task must outlive a fault of ours: without it Redis would never be asked again
                logger.exception("Probing Redis failed")
            pause = min(2 * pause, longest)
        logger.warning("Redis answers again")
        self._probe = self._fault = None
        self._healthy = True

    async def _write(self) -> None:
        """Send what is pending, a pipeline at a time, for as long as the tier is open."""
        refused = False
        while True:
            _heed_cancellation()
            await self._wake_writer.wait()
            self._wake_writer.clear()
            while self._pending and self._healthy:
                self._writing = True
                try:
                    async with Timeout(self._timeout):
                        refusal = await self._send_batch()
                except _FAULTS as fault:
                    self._trip(fault)
                    refusal = None
                except Exception:  # the task must outlive a fault of ours: without it nothing is written any more
                    logger.exception("Writing to Redis failed")
                    self._pending.clear()
                    refusal = None
                finally:
                    self._writing = False
                if refusal is not None:  # full, or a read-only replica: reads go on
                    if not refused:
                        logger.warning("Redis refuses to write: %s", refusal)
                    self._pending.clear()
                    await asyncio.sleep(PROBE_SECONDS[1])
                refused = refusal is not None

    async def _send_batch(self) -> ResponseError | None:
        """One pipeline of what is pending; answers what Redis refused, if it did."""
        batch = {digest: self._pending.pop(digest) for digest in list(islice(self._pending, WRITE_BATCH))}
        try:
            return await self._send(batch)
        except LostError:  # its connection was closed meanwhile: another one tells whether Redis is there
            return await self._send(batch)

    async def _send(self, batch: Mapping[bytes, tuple[bytes, float] | None]) -> ResponseError | None:
        pipeline = self._client.pipeline(transaction=False)
        for digest, value in batch.items():
            if value is None:
                pipeline.delete(self._name(digest))
            else:
                pipeline.set(self._name(digest), value[0], px=max(1, int(value[1] * 1000)))
        answers = await pipeline.execute(raise_on_error=False)  # the error that it would raise holds the values
        return next((answer for answer in answers if isinstance(answer, ResponseError)), None)

    async def _listen(self) -> None:
        """Hear nudges for as long as the tier is open; a nudge may have been missed at each new beginning."""
        while True:
            _heed_cancellation()
            try:
                async for _ in self._doorbell.nudges():
                    self._doorbell_refusal = None
                    self._doorbell_tried.set()
                    self.nudged.set()
                logger.info("Nudges were not heard any more: subscribing anew")
                continue
            except ResponseError as refusal:
                self._note_refusal(refusal)
                await asyncio.sleep(REFUSED_SECONDS)
            except _FAULTS:  # polling does without nudges
                self._doorbell_tried.set()
                await self._doubt()
            except Exception:  # the task must outlive a fault of ours
                logger.exception("Listening for nudges failed")
            await asyncio.sleep(PROBE_SECONDS[1] * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311

    def _note_refusal(self, refusal: ResponseError) -> None:
        """Say it once, not at each nudge: it is a matter of rights, and no fault."""
        if self._doorbell_refusal is None:
            logger.warning(
                "Redis refuses to pass on that keys have changed (%s): workers see it at their next poll. Give its "
                "user the rights: ACL SETUSER NAME +subscribe +publish &gatepost:*",
                line_of(refusal),
            )
        self._doorbell_refusal = line_of(refusal)
        self._doorbell_tried.set()

    async def _doubt(self) -> None:
        """The doorbell has failed: skip Redis where lookups would fail too, before one pays for it."""
        if self._healthy:
            fault = await self._ping()
            if fault is not None:
                self._trip(fault)


def _heed_cancellation() -> None:
    """Raise one that redis-py has lost because it met an exchange: who ends the event loop waits for this task."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
