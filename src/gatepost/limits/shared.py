"""Rates and slots that Redis counts for all workers: the requests of one turn of the event loop go out together.

    take(a) take(b) free(c) ... end of the loop's turn -> one script, one round trip -> each gets its answer

A slot in Redis ends by itself, and is kept alive from here while its request is in flight: a worker that dies, or
cannot reach Redis, leaks nothing for longer than `SLOT_SECONDS`.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from gatepost.base import MICROSECONDS, Coalescer, Rate, Slots
from gatepost.limits.bucket import Bucket, LimitState, Taken
from gatepost.limits.slots import SLOT_WAIT_SECONDS

logger = logging.getLogger("gatepost.limits")

SLOT_SECONDS = 30.0
"""How long a slot outlives a worker that died."""

KEEP_SECONDS = SLOT_SECONDS / 3
"""How often slots are kept alive: two tries may fail."""

REQUESTS_MAX = 256
"""Most requests in one call: Redis does nothing else meanwhile, for less than a millisecond or two."""

AT_ONCE = 4
"""Most calls at the same time."""

NUMBERS = 3
"""What is answered of each bucket: units left, and two times in microseconds."""

Words = tuple[bytes | int, ...]


class Counts(Protocol):
    """Who counts: the Redis tier."""

    def count(self, buckets: Sequence[bytes], arguments: Sequence[bytes | int]) -> Awaitable[Sequence[int] | None]:
        """What `limits.lua` answers; `None` where Redis fails."""


class _Request:
    """What one request asks of its buckets. `words`: four for each, as the script wants them. Compared by identity: two
    that ask the same are two."""

    __slots__ = ("buckets", "words")

    def __init__(self, buckets: Sequence[Bucket], words: Words) -> None:
        self.buckets = buckets
        self.words = words


class SharedCounts:
    """What all workers take from together."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._calls: Coalescer[_Request, Sequence[int] | None] = Coalescer(
            self._call, size=REQUESTS_MAX, at_once=AT_ONCE
        )
        self._worker = secrets.token_bytes(8)
        self._number = 0
        self._held: dict[bytes, Sequence[Bucket]] = {}
        """The buckets in which each name of a slot is held."""
        self._keeping: asyncio.Task[None] | None = None
        self._is_closed = False

    async def take(self, asked: Sequence[tuple[Bucket, int]], slot: bytes | None) -> Taken | None:
        """Take from all buckets, or from none; `None` = Redis could not be asked, and may have counted. `slot`: the
        name of slots that are taken, from `new_slot`. A cost of 0 only looks. One round trip, shared."""
        words: list[bytes | int] = []
        for bucket, cost in asked:
            words += _words_of(bucket, cost, slot)
        request = _Request([bucket for bucket, _ in asked], tuple(words))
        if slot is None:
            answer = await self._calls.ask(request)
        else:
            answer = await self._take_slots(request, slot)
        if answer is None:
            return None
        states = [
            LimitState(bucket.limit, *_told(bucket, answer[1 + NUMBERS * at : 1 + NUMBERS * (at + 1)]))
            for at, (bucket, _) in enumerate(asked)
        ]
        return Taken(bool(answer[0]), states)

    async def charge(self, asked: Sequence[tuple[Bucket, int]]) -> bool:
        """Take from rates whether or not there is so much; answers whether Redis did."""
        words: list[bytes | int] = []
        for bucket, cost in asked:
            words += [b"charge", *_words_of(bucket, cost, None)[1:]]
        return await self._calls.ask(_Request([bucket for bucket, _ in asked], tuple(words))) is not None

    def new_slot(self) -> bytes:
        """A name that no other request has: 16 bytes."""
        self._number += 1
        return self._worker + self._number.to_bytes(8, "big")

    def free(self, slot: bytes) -> None:
        """The request is over: its slots are free, once Redis has been told. No wait."""
        buckets = self._held.pop(slot, None)
        if buckets is not None and not self._is_closed:
            freeing = self._calls.ask(_Request(buckets, (b"free", 0, 0, slot) * len(buckets)))
            freeing.add_done_callback(_forget)

    async def close(self) -> None:
        """Wait for what is under way. Slots that are still held end by themselves."""
        self._is_closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._calls.close()

    async def _take_slots(self, request: _Request, slot: bytes) -> Sequence[int] | None:
        """As ever, for a request that takes slots: if nobody waits for the answer any more, they are free again."""
        answering = self._calls.ask(request)
        try:
            answer = await asyncio.shield(answering)
        except asyncio.CancelledError:
            answering.add_done_callback(lambda _: self._free_unheld(request, slot))
            raise
        if answer is not None and answer[0]:
            self._hold(request, slot)
        return answer

    def _hold(self, request: _Request, slot: bytes) -> None:
        self._held[slot] = [bucket for bucket in request.buckets if isinstance(bucket.limit, Slots)]
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())

    def _free_unheld(self, request: _Request, slot: bytes) -> None:
        self._hold(request, slot)
        self.free(slot)

    async def _keep(self) -> None:
        """Keep alive what is held, as long as this is open."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            try:
                await self._keep_all()
            except Exception:  # the task must outlive a fault of ours
                logger.exception("Keeping slots of limits alive failed")

    async def _keep_all(self) -> None:
        held = dict(self._held)
        lives = int(SLOT_SECONDS * MICROSECONDS)
        await asyncio.gather(
            *(
                self._calls.ask(_Request(buckets, (b"keep", 0, lives, slot) * len(buckets)))
                for slot, buckets in held.items()
            )
        )
        for slot, buckets in held.items():
            if slot not in self._held:  # freed meanwhile, perhaps before it was kept
                self._held[slot] = buckets
                self.free(slot)

    async def _call(self, requests: Sequence[_Request]) -> Mapping[_Request, Sequence[int] | None]:
        names: list[bytes] = []
        words: list[bytes | int] = []
        for request in requests:
            names += [bucket.digest for bucket in request.buckets]
            words.append(len(request.buckets))
            words += request.words
        told = await self._counts.count(names, words)
        if told is None:
            return dict.fromkeys(requests)
        answers, at = {}, 0
        for request in requests:
            length = 1 + NUMBERS * len(request.buckets)
            answers[request] = told[at : at + length]
            at += length
        return answers


def _words_of(bucket: Bucket, cost: int, slot: bytes | None) -> Words:
    limit = bucket.limit
    if isinstance(limit, Rate):
        return (b"rate", limit.interval, limit.burst, cost)
    if cost and slot is not None:
        return (b"slots", limit.units, int(SLOT_SECONDS * MICROSECONDS), slot)
    return (b"slots", limit.units, 0, b"")


def _told(bucket: Bucket, numbers: Sequence[int]) -> tuple[int, float, float | None]:
    left, wait, whole = numbers
    if isinstance(bucket.limit, Slots):
        return left, SLOT_WAIT_SECONDS if wait else 0.0, None
    return left, wait / MICROSECONDS, whole / MICROSECONDS


def _forget(answering: "asyncio.Future[Sequence[int] | None]") -> None:
    if not answering.cancelled():
        answering.exception()
