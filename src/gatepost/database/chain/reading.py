"""Reading the chain and its lines, to check them or to export them: page by page, each a statement of its own."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import UnavailableError
from gatepost.base.trail import Anchor, Content, Link, Links, LogCheck, Walk, line_of, sealed_line
from gatepost.database.schema import chain, chain_anchor, counter, events

LINKS_PAGE = 500
LINES_PAGE = 2_000

LAST_N = 2**31 - 1
"""Above every number inside a change."""

Connecting = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]


@dataclass(frozen=True, slots=True)
class LogRange:
    """Which changes are meant: from `first` to `last`, and those around what was done from `since` on and before
    `until` (aware); `None` = does not matter."""

    first: int | None = None
    last: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True)
class _Found:
    """What there is of a change. `content`: `None` = its key is not here."""

    kind: str
    content: Content | None


class ChainReader:
    """Reads over a database's connections. `doing`: what for, for people."""

    def __init__(self, reading: Connecting, doing: str) -> None:
        self._reading = reading
        self._doing = doing

    async def rows(self, statement: Any) -> Sequence[Any]:
        """Of one statement."""
        async with self._reading(self._doing) as connection:
            return (await connection.execute(statement)).all()

    async def anchor(self) -> Anchor:
        """Where the chain begins. Raises `UnavailableError` where its row is missing."""
        rows = await self.rows(select(chain_anchor))
        if not rows:
            raise UnavailableError(f"{self._doing}: the row of gatepost_chain_anchor is missing")
        return anchor_of(rows[0])

    async def link(self, seq: int | None = None) -> Link | None:
        """Of a change, or of the last one that is sealed."""
        found = select(chain).order_by(chain.c.seq.desc()).limit(1)
        rows = await self.rows(found if seq is None else found.where(chain.c.seq == seq))
        return link_of(rows[0]) if rows else None

    async def newest(self) -> tuple[int, int | None, bool]:
        """The counter's seq, the last one that the log has, and whether that bears the counter's nonce."""
        last = select(func.max(events.c.seq)).scalar_subquery()
        own = select(events.c.nonce).where(events.c.seq == counter.c.seq, events.c.n == 0).scalar_subquery()
        seq, held, nonce, own_nonce = (await self.rows(select(counter.c.seq, last, counter.c.nonce, own)))[0]
        return seq, held, nonce == own_nonce

    async def unsealed(self, after: int) -> int:
        """How many changes there are after that one."""
        count = select(func.count(events.c.seq.distinct())).where(events.c.seq > after)
        return int((await self.rows(count))[0][0])

    async def links(self, after: int, to: int) -> AsyncIterator[Sequence[Link]]:
        """Links after a change, up to the change `to`, in order, page by page."""
        while True:
            page = select(chain).where(chain.c.seq > after, chain.c.seq <= to).order_by(chain.c.seq).limit(LINKS_PAGE)
            found = [link_of(row) for row in await self.rows(page)]
            if found:
                yield found
                after = found[-1].seq
            if len(found) < LINKS_PAGE:
                return

    async def lines(
        self, after: int, to: int | None = None, *which: ColumnElement[bool], page: int = LINES_PAGE
    ) -> AsyncIterator[Any]:
        """The rows of lines after a change, up to the change `to` (`None` = the last), in order; those alone that are
        `which`."""
        upper = [] if to is None else [events.c.seq <= to]
        in_order = select(events).where(*upper, *which).order_by(events.c.seq, events.c.n).limit(page)
        seq, n = after, LAST_N
        while True:
            later = or_(events.c.seq > seq, events.c.n > n)
            found = await self.rows(in_order.where(events.c.seq >= seq, later))
            for row in found:
                yield row
            if len(found) < page:
                return
            seq, n = found[-1].seq, found[-1].n

    async def check(self, links: Links, check: LogCheck, at: int, to: int, before: bytes, *, is_gapless: bool) -> bytes:
        """Check the changes after `at`, whose hash is `before`, up to `to`, whose hash is answered."""
        walk = Walk(links, check, at, before, is_gapless=is_gapless)
        async for page in self.links(at, to):
            found = await self._contents(links, check, page, walk.at, page[-1].seq)
            for link in page:
                of_change = found.get(link.seq)
                walk.step(link, *((None, None) if of_change is None else (of_change.content, of_change.kind)))
        for seq in sorted({row.seq async for row in self.lines(walk.at, to)}):
            check.add("added", seq)
        return walk.hash

    async def _contents(
        self, links: Links, check: LogCheck, page: Sequence[Link], after: int, to: int
    ) -> Mapping[int, _Found]:
        names = {link.seq: link.sealed_by for link in page}
        found: dict[int, _Found] = {}
        added = -1
        async for row in self.lines(after, to):
            if row.seq not in names:
                if row.seq != added:
                    check.add("added", row.seq)
                added = row.seq
                continue
            if row.seq not in found:
                name = names[row.seq]
                found[row.seq] = _Found(row.kind, links.content(name) if links.knows(name) else None)
            if (content := found[row.seq].content) is not None:
                content.add(line_of(row))
        return found

    async def export(self, after: int, to: int, before: bytes) -> AsyncIterator[bytes]:
        """The lines after a change, whose hash is `before`, up to the change `to`, as they are exported."""
        async for page in self.links(after, to):
            by_seq: dict[int, tuple[bytes, Link]] = {}
            for link in page:
                by_seq[link.seq] = (before, link)
                before = link.hash
            async for row in self.lines(after, page[-1].seq):
                if row.seq in by_seq:
                    yield sealed_line(line_of(row), *by_seq[row.seq])
            after = page[-1].seq


def anchor_of(row: Any) -> Anchor:
    """From its row."""
    return Anchor(row.seq, bytes(row.hash), bytes(row.kept), row.sealed_by, bytes(row.seal))


def link_of(row: Any) -> Link:
    """From its row."""
    return Link(row.seq, row.lines, bytes(row.hash), row.sealed_by)
