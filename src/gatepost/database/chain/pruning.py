"""Taking old lines out of the log, from its beginning on, so that the chain goes on from where it is cut.

    anchor ──> links after it, up to what may go ──> lines out, but those of keys' making ──> new anchor ──> COMMIT

Lines of keys' making stay for good: by them an idempotency key makes no secret a second time, and who made which key is
known. They are chained anew among themselves, so that they are as safe as before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import MAKING_KINDS
from gatepost.base.trail import Anchor, Content, Hold, Link, Links, PrunedLog, hold_of_worker, line_of, prunable_to
from gatepost.database.chain.reading import LAST_N, ChainReader, link_of
from gatepost.database.chain.sealing import link_row, lock
from gatepost.database.schema import chain, chain_anchor, counter, events, targets, workers

LINES = 1_000
"""Lines of a transaction, or one whole change."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Up to where the log may be pruned. `to`: the last change that may go. `held_by`: who needs the next one."""

    to: int
    held_by: str | None


async def bound(connection: AsyncConnection, before: datetime) -> Bound:
    """What of the log may go of what was done before a moment. A statement of its own each, so that nobody waits; what
    they tell only grows."""
    old = select(events.c.seq).where(events.c.at < before).order_by(events.c.at.desc(), events.c.seq.desc()).limit(1)
    older = await connection.scalar(old)
    newest: int = (await connection.execute(select(counter.c.seq))).scalar_one()
    holds = await read_holds(connection)
    found = prunable_to(older=-1 if older is None else older, newest=newest, holds=holds)
    return Bound(found.seq, found.who or None)


async def read_holds(connection: AsyncConnection) -> Sequence[Hold]:
    """Who needs the log, and from where on."""
    rows = await connection.execute(select(workers.c.name, workers.c.acked_seq).where(workers.c.acked_seq >= 0))
    held = [hold_of_worker(row.name, row.acked_seq) for row in rows]
    queued = case((targets.c.n < LAST_N, targets.c.seq - 1), else_=targets.c.seq)  # in part = not
    rows = await connection.execute(select(targets.c.name, queued.label("queued")))
    return [*held, *(Hold(f"target {row.name}", row.queued) for row in rows)]


async def count(connection: AsyncConnection, to: int) -> PrunedLog:
    """What `prune` would do up to the change `to`."""
    after = select(chain_anchor.c.seq).scalar_subquery()
    making = func.sum(case((_is_making(), 1), else_=0))
    found = select(func.count(), making).where(events.c.seq > after, events.c.seq <= to)
    total, kept = (await connection.execute(found)).one()
    at = (await connection.execute(select(chain_anchor.c.seq))).scalar_one()
    return PrunedLog(removed=total - int(kept or 0), kept=int(kept or 0), to=max(at, to))


@dataclass(frozen=True, slots=True)
class Batch:
    """What is pruned at once. `anchor`: as it was read. `last`: the last change. `kept`: the links of the lines that
    stay, which follow those that have stayed before."""

    anchor: Anchor
    last: Link
    kept: Sequence[Link]


async def next_batch(reader: ChainReader, links: Links, to: int) -> Batch | None:
    """What comes next, up to the change `to`, all of it sealed; `None` = nothing any more."""
    anchor = await reader.anchor()
    found = select(chain).where(chain.c.seq > anchor.seq, chain.c.seq <= to).order_by(chain.c.seq).limit(LINES)
    last: Link | None = None
    total = 0
    for row in await reader.rows(found):
        total += row.lines
        if last is not None and total > LINES:
            break
        last = link_of(row)
    if last is None:
        return None
    kept: dict[int, Content] = {}
    async for row in reader.lines(anchor.seq, last.seq, _is_making()):
        if row.seq not in kept:
            kept[row.seq] = links.content()
        kept[row.seq].add(line_of(row))
    rows: list[Link] = []
    before = anchor.kept
    for seq, content in kept.items():
        before = content.hash_after(before)
        rows.append(Link(seq, content.lines, before, links.name))
    return Batch(anchor, last, rows)


async def prune(connection: AsyncConnection, links: Links, batch: Batch) -> PrunedLog | None:
    """Prune it; `None` = somebody else has pruned meanwhile, and nothing is done. The commit is the caller's."""
    anchor, last = batch.anchor, batch.last
    if await lock(connection) != anchor:
        return None
    within = (events.c.seq > anchor.seq, events.c.seq <= last.seq)
    removed = (await connection.execute(delete(events).where(*within, ~_is_making()))).rowcount
    await connection.execute(delete(chain).where(chain.c.seq > anchor.seq, chain.c.seq <= last.seq))
    if batch.kept:
        await connection.execute(insert(chain), [link_row(link) for link in batch.kept])
    kept = batch.kept[-1].hash if batch.kept else anchor.kept
    new = links.anchor(last.seq, last.hash, kept)
    values = {"seq": new.seq, "hash": new.hash, "kept": new.kept, "sealed_by": new.sealed_by, "seal": new.seal}
    await connection.execute(update(chain_anchor).values(values))
    return PrunedLog(removed=removed, kept=sum(link.lines for link in batch.kept), to=last.seq)


def _is_making() -> ColumnElement[bool]:
    return events.c.kind.in_(MAKING_KINDS)
