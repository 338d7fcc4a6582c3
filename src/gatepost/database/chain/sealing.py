"""Sealing what is not sealed yet, and the lock around the chain. No change waits for it.

    end of the chain ──> lines after it, in whole changes ──> hashes ──> anchor's row locked, is the end still
                                                                         the same? ──> links ──> COMMIT

Lines are read back from the database, so those which triggers have written are sealed like all others; and before the
lock is taken, since what is committed does not change.
"""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base.trail import Anchor, Content, Link, Links, line_of
from gatepost.database.chain.reading import ChainReader, anchor_of
from gatepost.database.schema import chain, chain_anchor

PAGE = 100
"""Lines that are read and hashed at once: some 5 ms of a processor, for requests are served meanwhile."""


async def lock(connection: AsyncConnection) -> Anchor:
    """Take the anchor's row, to the end of the transaction, and read it: one seals or prunes at a time."""
    await connection.execute(update(chain_anchor).values(id=chain_anchor.c.id))
    return anchor_of((await connection.execute(select(chain_anchor))).one())


async def read_end(connection: AsyncConnection, anchor: Anchor) -> tuple[int, bytes]:
    """The last change that is sealed, and its hash."""
    last = select(chain.c.seq, chain.c.hash).order_by(chain.c.seq.desc()).limit(1)
    row = (await connection.execute(last)).one_or_none()
    return (anchor.seq, anchor.hash) if row is None or row.seq <= anchor.seq else (row.seq, bytes(row.hash))


async def next_links(reader: ChainReader, links: Links, end: tuple[int, bytes], most: int) -> list[Link]:
    """The links of the next changes, until those have `most` lines or more."""
    found: list[Link] = []
    after, before = end
    lines = 0
    async for seq, content in _changes(reader, links, after):
        before = content.hash_after(before)
        found.append(Link(seq, content.lines, before, links.name))
        lines += content.lines
        if lines >= most:
            break
    return found


async def add(connection: AsyncConnection, end: tuple[int, bytes], found: list[Link]) -> bool:
    """Add links to the chain, unless it does not end any more where it did: answers whether it does. The commit is the
    caller's."""
    if await read_end(connection, await lock(connection)) != end:
        return False
    await connection.execute(insert(chain), [link_row(link) for link in found])
    return True


def link_row(link: Link) -> dict[str, Any]:
    """Its row."""
    return {"seq": link.seq, "lines": link.lines, "hash": link.hash, "sealed_by": link.sealed_by}


async def _changes(reader: ChainReader, links: Links, after: int) -> AsyncIterator[tuple[int, Content]]:
    """The changes after a seq, in order, each whole."""
    seq, content = after, links.content()
    async for row in reader.lines(after, page=PAGE):
        if row.seq != seq:
            if content.lines:
                yield seq, content
            seq, content = row.seq, links.content()
        content.add(line_of(row))
    if content.lines:
        yield seq, content
