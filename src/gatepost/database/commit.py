"""Committing a change, so that its caller learns how it ended whatever happens in between.

A task that is cancelled while COMMIT is under way waits for its answer. Where the answer is lost with the connection,
the database is asked on another one: the counter's row stays locked until the lost transaction has ended, so who gets
that lock sees either its last event or that there never will be one. Galera's nodes do not share locks, only what they
have committed: there that event's number is taken and given back, so that the lost transaction cannot be committed
after.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatepost.base import Timeout, UnavailableError
from gatepost.database.connecting import SqliteFile, changing, is_cluster_node, mapped_errors
from gatepost.database.group_commit import Group
from gatepost.database.schema import counter, events
from gatepost.database.transaction import Transaction

T = TypeVar("T")

ASK_AGAIN_SECONDS = 0.05
"""Pause between two tries to ask a database that does not answer."""

ATTEMPTS = 8
"""How often a change is begun that others stood in the way of each time."""

FIRST_PAUSE = 0.01
"""Longest seconds before the second attempt; twice as long before each further one: the nodes must get out of step."""

DEADLOCK = 1213
"""MariaDB's and MySQL's number for a transaction that was rolled back since others stood in its way."""


class CommitLostError(Exception):
    """COMMIT was sent, and its answer did not come."""


class ConflictError(Exception):
    """Another node of the cluster had changed keys at the same moment, so nothing of this change is left."""


def is_conflict(failure: BaseException | None) -> bool:
    """Whether a statement or a commit failed since another node of the cluster had changed the same rows."""
    return isinstance(failure, DBAPIError) and failure.orig is not None and failure.orig.args[:1] == (DEADLOCK,)


async def begun_anew(attempt: Callable[[], Awaitable[T]]) -> T:
    """What `attempt` answers; it is made anew where it raises `ConflictError`. Raises `UnavailableError` after the
    last of them, and what `attempt` raises else."""
    pause = FIRST_PAUSE
    for number in range(1, ATTEMPTS + 1):
        try:
            return await attempt()
        except ConflictError as conflict:
            if number == ATTEMPTS:
                raise UnavailableError(
                    f"Other nodes of the cluster changed keys at the same moment, {ATTEMPTS} times in a row (nothing "
                    "was changed): try again"
                ) from conflict
        await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - spreads load, no secret
        pause *= 2
    raise AssertionError


async def commit(transaction: Transaction, group: Group[Any], file: SqliteFile | None) -> None:
    """Commit, or roll back what wrote no event; the group is told. Raises `CommitLostError`; the connection is then
    closed. A cancellation is passed on when the answer is there. `file`: as it was when the connection was taken; one
    that was replaced while the transaction waited for its lock has the commit, and nobody reads it."""
    if not await transaction.finish():
        await transaction.rollback()
        return
    group.is_committed = None
    committing = asyncio.create_task(transaction.commit())
    cancelled: asyncio.CancelledError | None = None
    while not committing.done():
        try:
            await asyncio.wait({committing})
        except asyncio.CancelledError as ask:
            cancelled = ask
    failure = asyncio.CancelledError() if committing.cancelled() else committing.exception()
    is_lost = failure is not None or (file is not None and not file.is_in_place)
    if not is_lost:
        group.is_committed = True
    if failure is not None:
        with suppress(SQLAlchemyError, OSError):
            await transaction.invalidate()
    if cancelled is not None:
        raise cancelled
    if is_lost:
        raise CommitLostError from failure


async def was_committed(
    engine: AsyncEngine, transaction: Transaction, timeout: float, heed: Callable[[], Awaitable[None]] | None = None
) -> bool | None:
    """Whether a transaction whose commit got no answer was made; `None` where that could not be told in `timeout`
    seconds. `heed`: sees to it that the engine leads to the file that is there."""
    with suppress(TimeoutError):
        async with Timeout(timeout):
            while True:
                with suppress(UnavailableError), mapped_errors("Asking for a change"):
                    if heed is not None:
                        await heed()
                    return await _holds(engine, transaction)
                await asyncio.sleep(ASK_AGAIN_SECONDS)
    return None


async def _holds(engine: AsyncEngine, transaction: Transaction) -> bool:
    """Whether the log holds the transaction's last event, once nobody can be about to write it any more."""
    place = (events.c.seq == transaction.seq, events.c.n == 0)
    async with changing(engine) as connection:
        await connection.execute(update(counter).values(seq=counter.c.seq))
        nonce = await connection.scalar(select(events.c.nonce).where(*place))
        if nonce is None and await is_cluster_node(connection):
            nothing = {"seq": transaction.seq, "n": 0, "nonce": 0, "kind": "", "at": func.utc_timestamp()}
            try:
                await connection.execute(insert(events).values(nothing))
            except IntegrityError as taken:
                raise UnavailableError("Asking for a change: it was committed just now") from taken
            await connection.execute(delete(events).where(*place))
            await connection.commit()
        else:
            await connection.rollback()
        return bool(nonce == transaction.last_nonce)
