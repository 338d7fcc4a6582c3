"""Ends open connections once their key would not be let in any more.

    news ──> Freshness drops the digest ──> doubt ──> judged anew, as a new request would be ──> ended, or goes on
    each second: expired by the database's clock? ──> ended;   no lease? ──> all judged by the database, or ended

A connection costs nothing while its key stays as it is: no task, no timer, no read.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice

from gatepost.base import Clock, Found, Outcome, Record, UnavailableError, boot_clock, decide, of_another_address
from gatepost.connections.connections import Connection, Connections, End
from gatepost.freshness import Freshness
from gatepost.lookup import Lookup
from gatepost.temporary import TemporaryRecord, decide_temporary

logger = logging.getLogger("gatepost.guard")

ROUND_SECONDS = 1.0
"""Seconds between two looks at expiries and the lease: how late a connection may be ended for either."""

JUDGED_AT_ONCE = 1_000
"""Digests judged together: enough for full statements, few enough that requests are served in between."""


class Guard:
    """One worker's watch over its open connections. Runs from the first of them on."""

    def __init__(
        self, connections: Connections, lookup: Lookup, freshness: Freshness, *, clock: Clock = boot_clock
    ) -> None:
        self._connections = connections
        self._lookup = lookup
        self._freshness = freshness
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._judging: set[asyncio.Task[None]] = set()
        self._under_way: set[bytes] = set()
        self._next_round = 0.0
        self._stopped = False

    def attend(self, digest: bytes, key: Record, end: End, address: str | None = None) -> Callable[[], None]:
        """Have `end` called, once, when a connection that the secret of `digest` (32 bytes) opened as `key`, from that
        address (`None` = nobody knows), must not go on: because of a change, an expiry, or because nobody can vouch for
        the key any more (`Outcome.UNAVAILABLE`). It must return at once. What is returned is to be called when the
        connection is over. No I/O.

        A change that came after the key was judged and before this call is not missed: the key is judged again then.
        """
        claims = key.claims if isinstance(key, TemporaryRecord) else None
        connection = Connection(digest, key.ends_at, end, address, claims)
        self._connections.add(connection)
        if not self._freshness.not_below_floor(digest, key):
            self._connections.doubt(digest)
        if self._task is None and not self._stopped:
            self._task = asyncio.create_task(self._keep_watch())
        return partial(self._connections.remove, connection)

    async def stop(self) -> None:
        """Watch no more. What is open stays so. Waits for reads under way: a statement cancelled in the middle would
        lose a connection."""
        self._stopped = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()  # it waits for nothing but time and doubts
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.gather(*self._judging, return_exceptions=True)

    async def _keep_watch(self) -> None:
        wake = self._connections.wake
        await asyncio.sleep(0)  # an eager task factory begins it within `attend`: nothing may end before that returns
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._next_round - self._clock())):
                    await wake.wait()
            wake.clear()
            try:
                self._look()
            except Exception:  # the task must outlive a fault of ours: without it nothing is ended
                logger.exception("Looking after the open connections failed")

    def _look(self) -> None:
        doubted = self._connections.take_doubted()
        now = self._clock()
        if now >= self._next_round:
            self._next_round = now + ROUND_SECONDS
            self._end_all(self._connections.expired(self._freshness.database_now()), Outcome.EXPIRED)
            if not self._freshness.holds():
                doubted.update(digest for digest in self._connections.digests() if digest not in self._under_way)
        if doubted:
            task = asyncio.create_task(self._judge(doubted))
            self._judging.add(task)
            task.add_done_callback(self._judging.discard)

    async def _judge(self, doubted: set[bytes]) -> None:
        waiting = iter(doubted)
        self._under_way |= doubted
        try:
            while batch := list(islice(waiting, JUDGED_AT_ONCE)):
                if self._stopped:
                    return
                held = [self._connections.of(digest) for digest in batch]  # later ones were judged later
                answers = await asyncio.gather(*map(self._lookup.find, batch), return_exceptions=True)
                for digest, connections, found in zip(batch, held, answers, strict=True):
                    self._settle(digest, connections, found)
        except Exception:  # must not go unseen: nobody awaits this task
            logger.exception("Judging the keys of open connections failed")
        finally:
            self._under_way -= doubted

    def _settle(self, digest: bytes, connections: Sequence[Connection], found: Found | BaseException) -> None:
        if isinstance(found, BaseException):
            if isinstance(found, asyncio.CancelledError):  # the keys are being closed
                return
            if not isinstance(found, UnavailableError):
                logger.error("A key of open connections could not be judged", exc_info=found)
            self._end_all(connections, Outcome.UNAVAILABLE)
            return
        now = self._freshness.database_now()
        is_newest = self._freshness.not_below_floor(digest, found)  # else it is in doubt again
        ended = defaultdict[Outcome, list[Connection]](list)
        for connection in connections:
            outcome, record = _judged(connection, found, now)
            if outcome is not Outcome.VALID or record is None:
                ended[outcome].append(connection)
            elif is_newest and connection in self._connections:
                self._connections.set_usable_until(connection, record.ends_at)
        for outcome, these in ended.items():
            self._end_all(these, outcome)

    def _end_all(self, connections: Iterable[Connection], outcome: Outcome) -> None:
        ended = 0
        for connection in connections:
            if connection in self._connections:
                end = connection.end
                self._connections.remove(connection)
                ended += 1
                try:
                    end(outcome)
                except Exception:  # the others must end all the same
                    logger.exception("A connection could not be ended")
        if ended:
            logger.info("%d open connections ended: %s", ended, outcome.value)


def _judged(connection: Connection, found: Found, now: float) -> tuple[Outcome, Record | None]:
    """What a request like that which opened the connection would get at `now`, and the record that says so."""
    record: Record | None = found if isinstance(found, Record) else None
    if connection.claims is None:
        outcome = decide(found, now)
    else:
        outcome, record = decide_temporary(connection.claims, found, now)
    if outcome is Outcome.VALID and record is not None and of_another_address(record, connection.address):
        outcome = Outcome.ADDRESS_DENIED
    return outcome, record
