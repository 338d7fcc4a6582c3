"""Rates and slots that Redis counts for all workers: the requests of one turn of the event loop go out together.

    take(a) take(b) free(c) take(a) ... end of the loop's turn -> one script: twice a, b, c -> each gets its answer

A slot in Redis ends by itself, and is kept alive from here while its request is in flight: a worker that dies, or
cannot reach Redis, leaks nothing for longer than `SLOT_SECONDS`.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

from gatepost.base import MICROSECONDS, Coalescer, Rate, Slots
from gatepost.limits.bucket import Asked, Bucket, LimitState, Taken
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


class Counts(Protocol):
    """Who counts: the Redis tier."""

    def count(self, buckets: Sequence[bytes], words: Sequence[bytes]) -> Awaitable[Sequence[int] | None]:
        """What `limits.lua` answers; `None` where Redis fails."""


class Call:
    """What a request asks of its buckets, as the script wants it. `words`: four for each. Requests that ask the same
    may have one, which is made once; each that takes a slot has a name of its own for it, so it has one of its own."""

    __slots__ = ("buckets", "words")

    def __init__(self, buckets: Sequence[Bucket], words: Sequence[bytes]) -> None:
        self.buckets = buckets
        self.words = words

    @classmethod
    def of(cls, asked: Asked, slot: bytes | None = None) -> "Call":
        """What takes from all of them, or from none. `slot`: the name of slots that are taken."""
        return cls([bucket for bucket, _ in asked], [word for each in asked for word in _words_of(*each, slot)])


class Answer:
    """What the script told of all that made one call in one turn, who are let in as they come for it."""

    __slots__ = ("_come", "_numbers", "let_in", "uncounted")

    def __init__(self, let_in: int, numbers: Sequence[int]) -> None:
        self.let_in = let_in
        """How often the call was let in."""
        self.uncounted = let_in
        """How many of these this process has not counted for itself."""
        self._numbers = numbers
        self._come = 0

    def taken(self, asked: Asked) -> Taken:
        """What the next of them gets. To be called once by each."""
        self._come += 1
        later = self.let_in - self._come
        numbers, states, at = self._numbers, [], 0
        for bucket, cost in asked:
            limit: Any = bucket.limit
            left, wait, whole = numbers[at : at + NUMBERS]
            at += NUMBERS
            if isinstance(limit, Slots):
                states.append(LimitState(limit, left, SLOT_WAIT_SECONDS if wait else 0.0, None))
            elif later < 0:
                states.append(LimitState(limit, left, wait / MICROSECONDS, whole / MICROSECONDS))
            else:  # as it was before those that came later
                back = whole - later * cost * limit.interval
                states.append(LimitState(limit, left + later * cost, 0.0, back / MICROSECONDS))
        return Taken(later >= 0, states)


class _Request:
    """A call on its way, and how often it was made. Compared by identity."""

    __slots__ = ("call", "times")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.times = 1


class SharedCounts:
    """What all workers take from together."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._calls: Coalescer[_Request, Answer | None] = Coalescer(self._count, size=REQUESTS_MAX, at_once=AT_ONCE)
        self._asked: dict[Call, _Request] = {}
        """What goes out with the next call."""
        self._worker = secrets.token_bytes(8)
        self._number = 0
        self._held: dict[bytes, Sequence[Bucket]] = {}
        """The buckets in which each name of a slot is held."""
        self._keeping: asyncio.Task[None] | None = None
        self._is_closed = False

    def ask(self, call: Call) -> "asyncio.Future[Answer | None]":
        """Take from all its buckets, or from none; `None` = Redis could not be asked, and may have counted. One round
        trip, shared. For calls that take no slot."""
        request = self._asked.get(call)
        if request is None:
            request = self._asked[call] = _Request(call)
        else:
            request.times += 1
        return self._calls.ask(request)

    async def take(self, asked: Asked, slot: bytes | None) -> Taken | None:
        """As `ask`. `slot`: the name of slots that are taken, from `new_slot`. A cost of 0 only looks."""
        call = Call.of(asked, slot)
        answer = await (self.ask(call) if slot is None else self._take_slots(call, slot))
        return None if answer is None else answer.taken(asked)

    async def charge(self, asked: Asked) -> bool:
        """Take from rates whether or not there is so much; answers whether Redis did."""
        words = [word for each in asked for word in (b"charge", *_words_of(*each, None)[1:])]
        return await self.ask(Call([bucket for bucket, _ in asked], words)) is not None

    async def give_back(self, rates: Asked, elapsed: int) -> None:
        """What was taken of rates was not used. After `elapsed` microseconds so much of it has come back by itself:
        only the rest is given, in units of a microsecond. One round trip, shared; none where there is no rest."""
        buckets: list[Bucket] = []
        words: list[bytes] = []
        for bucket, cost in rates:
            rate: Any = bucket.limit
            rest = cost * rate.interval - elapsed
            if rest > 0:
                buckets.append(bucket)
                words += (b"charge", b"1", b"%d" % (rate.interval * rate.burst), b"%d" % -rest)
        if buckets:
            await self.ask(Call(buckets, words))

    def new_slot(self) -> bytes:
        """A name that no other request has: 16 bytes."""
        self._number += 1
        return self._worker + self._number.to_bytes(8, "big")

    def free(self, slot: bytes) -> None:
        """The request is over: its slots are free, once Redis has been told. No wait."""
        buckets = self._held.pop(slot, None)
        if buckets is not None and not self._is_closed:
            self.ask(_of_slot(b"free", buckets, 0, slot)).add_done_callback(_forget)

    async def close(self) -> None:
        """Wait for what is under way. Slots that are still held end by themselves."""
        self._is_closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._calls.close()

    async def _take_slots(self, call: Call, slot: bytes) -> Answer | None:
        """As ever, for a request that takes slots: if nobody waits for the answer any more, they are free again."""
        answering = self.ask(call)
        try:
            answer = await asyncio.shield(answering)
        except asyncio.CancelledError:
            answering.add_done_callback(lambda _: self._free_unheld(call, slot))
            raise
        if answer is not None and answer.let_in:
            self._hold(call, slot)
        return answer

    def _hold(self, call: Call, slot: bytes) -> None:
        self._held[slot] = [bucket for bucket in call.buckets if isinstance(bucket.limit, Slots)]
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())

    def _free_unheld(self, call: Call, slot: bytes) -> None:
        self._hold(call, slot)
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
        await asyncio.gather(*(self.ask(_of_slot(b"keep", buckets, lives, slot)) for slot, buckets in held.items()))
        for slot, buckets in held.items():
            if slot not in self._held:  # freed meanwhile, perhaps before it was kept
                self._held[slot] = buckets
                self.free(slot)

    async def _count(self, requests: Sequence[_Request]) -> Mapping[_Request, Answer | None]:
        names: list[bytes] = []
        words: list[bytes] = []
        for request in requests:
            call = request.call
            del self._asked[call]  # who asks the same from now on is another request
            names += [bucket.digest for bucket in call.buckets]
            words += (b"%d" % len(call.buckets), b"%d" % request.times, *call.words)
        told = await self._counts.count(names, words)
        if told is None:
            return dict.fromkeys(requests)
        answers: dict[_Request, Answer | None] = {}
        at = 0
        for request in requests:
            end = at + 1 + NUMBERS * len(request.call.buckets)
            answers[request] = Answer(told[at], told[at + 1 : end])
            at = end
        return answers


def _words_of(bucket: Bucket, cost: int, slot: bytes | None) -> Sequence[bytes]:
    limit = bucket.limit
    if isinstance(limit, Rate):
        return b"rate", b"%d" % limit.interval, b"%d" % limit.burst, b"%d" % cost
    if cost and slot is not None:
        return b"slots", b"%d" % limit.units, b"%d" % int(SLOT_SECONDS * MICROSECONDS), slot
    return b"slots", b"%d" % limit.units, b"0", b""


def _of_slot(word: bytes, buckets: Sequence[Bucket], lives: int, slot: bytes) -> Call:
    """A call about slots that are held."""
    return Call(buckets, [word, b"0", b"%d" % lives, slot] * len(buckets))


def _forget(answering: "asyncio.Future[Answer | None]") -> None:
    if not answering.cancelled():
        answering.exception()
