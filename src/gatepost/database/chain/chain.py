"""`Chain`: the chain over the audit log, over the database's connections."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import Timeout, UnavailableError
from gatepost.base.trail import Link, Links, LogCheck, PrunedLog
from gatepost.database.chain import pruning, sealing
from gatepost.database.chain.reading import ChainReader, Connecting, LogRange
from gatepost.database.schema import events

CLOCK_STEP = timedelta(minutes=1)
"""As in `gatepost.database.log`: how far the database's clock may have been put back."""

ATTEMPTS = 3
"""How often a check is begun anew since the log was pruned meanwhile."""


class Chain:
    """Seals, checks, exports and prunes the log. `reading`, `writing`: a connection for what they are told, for single
    statements and for a transaction. `timeout`: seconds that a transaction may take. Every method raises
    `UnavailableError`. `links`: the keys that seal."""

    def __init__(self, reading: Connecting, writing: Connecting, *, timeout: float) -> None:
        self._reading = reading
        self._writing = writing
        self._timeout = timeout

    @asynccontextmanager
    async def _transaction(self, doing: str) -> AsyncIterator[AsyncConnection]:
        async with self._writing(doing) as connection, Timeout(self._timeout):
            yield connection
            await connection.commit()

    async def sealed_to(self) -> int:
        """The last change that is sealed, or was when it was pruned; -1 = none. One or two rows by key."""
        reader = ChainReader(self._reading, "Looking for what is sealed")
        link = await reader.link()
        return (await reader.anchor()).seq if link is None else link.seq

    async def seal(self, links: Links, most: int) -> int:
        """Seal the next changes, of `most` lines or a few more; answers how many changes, 0 = all are, or another does
        it just now. A transaction of some statements."""
        reader = ChainReader(self._reading, "Sealing the audit log")
        anchor, last = await reader.anchor(), await reader.link()
        end = (anchor.seq, anchor.hash) if last is None or last.seq <= anchor.seq else (last.seq, last.hash)
        found = await sealing.next_links(reader, links, end, most)
        if not found:
            return 0
        async with self._transaction("Sealing the audit log") as connection:
            return len(found) if await sealing.add(connection, end, found) else 0

    async def check(self, links: Links) -> LogCheck:
        """Whether the log is as it was sealed. Reads all of it."""
        for _ in range(ATTEMPTS):
            reader = ChainReader(self._reading, "Checking the audit log")
            check = LogCheck()
            anchor, last = await reader.anchor(), await reader.link()
            if links.is_genuine(anchor) is False:
                check.add("anchor", anchor.seq)
            elif links.is_genuine(anchor) is None:
                check.unchecked += 1
                check.keys.add(anchor.sealed_by)
            await self._check_kept(reader, links, check, anchor.seq, anchor.kept)
            at = anchor.seq
            if last is not None and last.seq > anchor.seq:
                await reader.check(links, check, anchor.seq, last.seq, anchor.hash, is_gapless=True)
                check.first, check.last, check.hash = anchor.seq + 1, last.seq, last.hash.hex()
                at = last.seq
            newest, held, is_own = await reader.newest()
            check.unsealed = await reader.unsealed(at)
            if held is None or held < newest:
                check.add("missing", (-1 if held is None else held) + 1, newest)
            elif held == newest and not is_own:
                check.add("altered", newest)
            if await reader.anchor() == anchor:
                return check
        raise UnavailableError("Checking the audit log: it is being pruned, try again later")

    async def _check_kept(self, reader: ChainReader, links: Links, check: LogCheck, to: int, kept: bytes) -> None:
        """What pruning has left of the log up to the change `to`."""
        of_kept = LogCheck()
        end = await reader.check(links, of_kept, -1, to, bytes(32), is_gapless=False)
        check.kept, check.unchecked = of_kept.lines, check.unchecked + of_kept.unchecked
        check.flaws += of_kept.flaws
        check.keys |= of_kept.keys
        if end != kept and not of_kept.flaws:
            check.add("kept", to)

    async def tail(self, link: Link) -> bool | None:
        """Whether the chain has this link; `None` = it is pruned there."""
        reader = ChainReader(self._reading, "Checking the audit log")
        anchor = await reader.anchor()
        if link.seq == anchor.seq:
            return link.hash == anchor.hash
        if link.seq < anchor.seq:
            return None
        held = await reader.link(link.seq)
        return held is not None and held.hash == link.hash

    async def export(self, wanted: LogRange) -> AsyncIterator[bytes]:
        """The lines that are meant and sealed, each as a line of JSON. Begins behind what was pruned."""
        reader = ChainReader(self._reading, "Exporting the audit log")
        anchor, last = await reader.anchor(), await reader.link()
        first, to = await self._range(wanted)
        after = max(anchor.seq, first - 1)
        if last is None or last.seq <= after:
            return
        before = anchor.hash
        if after > anchor.seq:
            found = select(events.c.seq).where(events.c.seq <= after).order_by(events.c.seq.desc()).limit(1)
            rows = await reader.rows(found)  # numbers can be left out
            after = max(anchor.seq, rows[0].seq if rows else anchor.seq)
            link = await reader.link(after) if after > anchor.seq else None
            before = anchor.hash if link is None else link.hash
        async for line in reader.export(after, last.seq if to is None else min(to, last.seq), before):
            yield line

    async def _range(self, wanted: LogRange) -> tuple[int, int | None]:
        """From which change on, and to which one; `None` = to the last."""
        reader = ChainReader(self._reading, "Exporting the audit log")
        first, last = -1 if wanted.first is None else wanted.first, wanted.last
        newest_first = (events.c.at.desc(), events.c.seq.desc())
        if wanted.since is not None:
            before = select(events.c.seq).where(events.c.at < wanted.since - CLOCK_STEP).order_by(*newest_first)
            rows = await reader.rows(before.limit(1))
            first = max(first, rows[0].seq + 1 if rows else -1)
        if wanted.until is not None:
            after = select(events.c.seq).where(events.c.at >= wanted.until + CLOCK_STEP)
            rows = await reader.rows(after.order_by(events.c.at, events.c.seq).limit(1))
            until = rows[0].seq - 1 if rows else None
            last = until if last is None else last if until is None else min(last, until)
        return first, last

    async def preview(self, before: datetime) -> PrunedLog:
        """What `prune` would do now."""
        async with self._reading("Looking at what is to be pruned") as connection:
            bound = await pruning.bound(connection, before - CLOCK_STEP)
            return replace(await pruning.count(connection, bound.to), held_by=bound.held_by)

    async def prune(
        self, links: Links, before: datetime, progress: Callable[[PrunedLog], Any] | None = None
    ) -> PrunedLog:
        """Take out of the log what was done before `before`, but lines of keys' making, and what somebody needs. All of
        it is sealed first. Transactions of 1,000 lines, or one change; `progress` is told after each."""
        async with self._reading("Looking at what is to be pruned") as connection:
            bound = await pruning.bound(connection, before - CLOCK_STEP)
        while await self.sealed_to() < bound.to and await self.seal(links, pruning.LINES):
            pass
        reader = ChainReader(self._reading, "Pruning the audit log")
        done = PrunedLog(to=(await reader.anchor()).seq)
        while (batch := await pruning.next_batch(reader, links, bound.to)) is not None:
            async with self._transaction("Pruning the audit log") as connection:
                some = await pruning.prune(connection, links, batch)
            if some is not None:
                done = PrunedLog(removed=done.removed + some.removed, kept=done.kept + some.kept, to=some.to)
                if progress is not None:
                    progress(done)
        return replace(done, held_by=bound.held_by)
