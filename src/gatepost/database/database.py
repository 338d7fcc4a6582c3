"""The database as the source of truth: what lookups, polls and management read from it.

Lookups and polls run in autocommit, on the primary: a snapshot frozen by a transaction (REPEATABLE READ is the default
of MariaDB and MySQL) would break the rule of freshness (docs/decisions/0002).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import event, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatepost.base import (
    Actor,
    APIKey,
    ConfigurationError,
    ReplicaError,
    Timeout,
    Total,
    UnavailableError,
)
from gatepost.database.chain import Chain
from gatepost.database.changes import Change
from gatepost.database.commit import CommitLostError, ConflictError, begun_anew, commit, is_conflict, was_committed
from gatepost.database.connecting import (
    Pooling,
    SqliteFile,
    changing,
    file_of,
    is_primary,
    make_engine,
    mapped_errors,
    pooling_of,
    reading,
    replica_text,
    wait_for_other_nodes,
)
from gatepost.database.deliveries import Deliveries
from gatepost.database.doorbell import Doorbell, doorbell_of
from gatepost.database.group_commit import Group, GroupCommit, NobodyKnowsError
from gatepost.database.lists import Filter, Listing, count_keys, projects_statement
from gatepost.database.policies import PolicyTables
from gatepost.database.quotas import Quotas
from gatepost.database.schema import KEYS, as_key, as_plain, keys, schema, search_terms, settings
from gatepost.database.statements import (
    EVENTS,
    HAS_LIMITS,
    OLDEST,
    POSITION,
    RECORDS,
    RECORDS_OF_ARRAY,
    current_secret,
    hint_of,
)
from gatepost.database.transaction import Transaction
from gatepost.database.usage import UsageTables
from gatepost.database.values import Event, Position, Reading
from gatepost.database.workers import Workers

T = TypeVar("T")

N_MAX = 2**31 - 1
"""Highest number of an event inside a change: the column's type has 32 bits."""

logger = logging.getLogger("gatepost.database")

CATCH_UP_SECONDS = 1.0
"""How long a list may wait for the lock that changes take, to catch up with changes by hand."""

READ_MAX = 512
"""Most digests in one statement."""


class Database:
    """The tables behind one URL, or behind an engine that the user owns and closes.

    `timeout`: seconds that one read may take, and the wait for a free connection.
    """

    def __init__(self, database: str | AsyncEngine, *, timeout: float) -> None:
        self._given = database
        self._timeout = timeout
        self._engine: AsyncEngine | None = None
        self._file: SqliteFile | None = None
        self._opened = 0
        self._opening_anew = asyncio.Lock()
        self._changes = GroupCommit(self._commit)
        self.doorbell = Doorbell()
        # its own, for others may have the same engine: who closes takes away but that
        self._wait_for_other_nodes = partial(wait_for_other_nodes)
        self.workers = Workers(self._reading)
        self.quotas = Quotas(self._reading)
        self.deliveries = Deliveries(self._reading, self._writing, timeout=timeout)
        self.chain = Chain(self._reading, self._writing, timeout=timeout)
        self.policies = PolicyTables(self._reading, self._writing, timeout=timeout)
        self.usage = UsageTables(self._reading, self._writing, timeout=timeout)

    @asynccontextmanager
    async def _reading(self, doing: str) -> AsyncIterator[AsyncConnection]:
        """A connection for a read that may take `timeout`. Raises `UnavailableError`."""
        with mapped_errors(doing):
            async with Timeout(self._timeout):
                await self._heed_file()
                async with reading(self.engine, is_ours=self.engine is not self._given) as connection:
                    yield connection

    @asynccontextmanager
    async def _writing(self, doing: str) -> AsyncIterator[AsyncConnection]:
        """A connection for a transaction that changes no key. Raises `UnavailableError`."""
        with mapped_errors(doing):
            async with AsyncExitStack() as stack:
                async with Timeout(self._timeout):
                    await self._heed_file()
                    connection = await stack.enter_async_context(changing(self.engine))
                yield connection

    async def _heed_file(self) -> None:
        """Where another file has taken the place of SQLite's, go on with that one, and say so. Raises
        `UnavailableError` where there is none: SQLite would make an empty one."""
        if self._file is None or self._file.is_in_place:
            return
        async with self._opening_anew:
            file = SqliteFile.at(self._file.path)
            if file == self._file:
                return
            if file.identity is None:
                raise UnavailableError(f"The SQLite file {file.path} is gone: put it back")
            logger.error(
                "The SQLite file %s was replaced while it was open: it is opened anew, and nothing read before counts. "
                "If a backup was restored run 'gatepost db invalidate'",
                file.path,
            )
            await self.engine.dispose()
            self._file = file
            self._opened += 1

    async def file(self) -> SqliteFile | None:
        """SQLite's file; `None` for one in memory, and for other databases."""
        if self.engine.dialect.name != "sqlite":
            return None
        async with self._reading("Asking for the file") as connection:
            return await file_of(connection)

    @property
    def engine(self) -> AsyncEngine:
        """The engine. Raises `ConfigurationError` before `open`."""
        if self._engine is None:
            raise ConfigurationError("The keys are not open: write 'async with keys:', or let the app's lifespan do it")
        return self._engine

    def connect(self) -> None:
        """Make the engine; it opens connections when they are needed."""
        self._changes = GroupCommit(self._commit)  # one may have been left by another event loop
        given = self._given
        self._engine = given if isinstance(given, AsyncEngine) else make_engine(given, self._timeout)
        if self._engine.dialect.name in {"mysql", "mariadb"}:
            event.listen(self._engine.sync_engine, "checkout", self._wait_for_other_nodes)

    async def open(self) -> None:
        """Connect, and see that the database is no replica and that the tables fit; an SQLite file gets them by itself.
        Raises `SchemaError`, `UnavailableError` (`ReplicaError`), `MissingExtraError`."""
        self.connect()
        try:
            await self.check_primary()
            status = await self.schema_status()
            if not status.fits and self.engine.dialect.name == "sqlite":
                await self.upgrade()
                if status.current is None:
                    self._tell_of_new_file()
                status = await self.schema_status()
            schema.check(status)
            self._file = await self.file()
            self.doorbell = doorbell_of(self.engine, self._file, self._timeout)
        except BaseException:
            await self.close()
            raise

    def _tell_of_new_file(self) -> None:
        """A file made in a wrong folder looks as if all keys were gone."""
        file = self.engine.url.database
        if file and file != ":memory:":
            logger.info("Made a new SQLite database, since there was none: %s", Path(file).absolute())

    async def close(self) -> None:
        """Close every connection of an engine that is ours."""
        await self.doorbell.close()
        engine, self._engine = self._engine, None
        if engine is not None and event.contains(engine.sync_engine, "checkout", self._wait_for_other_nodes):
            event.remove(engine.sync_engine, "checkout", self._wait_for_other_nodes)
        if engine is not None and engine is not self._given:
            await engine.dispose()

    async def upgrade(self, *, terms_anew: bool = False) -> None:
        """Make or migrate the tables, and write all terms anew if wanted. Raises `SchemaError` for newer ones."""
        with mapped_errors("Migrating the tables"):
            await schema.upgrade(self.engine, terms_anew=terms_anew)

    async def schema_status(self) -> schema.SchemaStatus:
        """Which revision the tables are at."""
        with mapped_errors("Reading the tables' revision"):
            async with Timeout(self._timeout):
                return await schema.read_status(self.engine)

    async def check_primary(self) -> None:
        """Raise `ReplicaError` where the database follows another. One round trip."""
        async with self._reading("Asking the database whether it is a replica") as connection:
            if not await connection.scalar(select(is_primary())):
                raise ReplicaError(replica_text(self.engine.dialect.name))

    async def pooling(self) -> Pooling:
        """What stands between this process and the database (`pooling_of`)."""
        with mapped_errors("Asking what stands before the database"):
            async with Timeout(2 * self._timeout):
                return await pooling_of(self.engine, self._timeout)

    async def read_settings(self) -> Mapping[str, bytes]:
        """The installation's keys by name (`server_key`, `seal_key`), 32 bytes each."""
        async with self._reading("Reading the settings") as connection:
            rows = await connection.execute(select(settings.c.name, settings.c.value))
            return {name: bytes.fromhex(value) for name, value in rows}

    async def read_position(self, worker_id: str | None = None) -> Position:
        """The counter, the database's clock, and whether this worker has its row. One round trip, two rows by key."""
        async with self._reading("Polling the counter") as connection:
            seq, nonce, now, row_id, primary = (await connection.execute(POSITION, {"worker": worker_id})).one()
            if not primary:
                raise ReplicaError(replica_text(self.engine.dialect.name))
            return Position(seq, nonce, float(now), row_id is not None, self._opened)

    async def read_events(self, first: int, to: int, page: int) -> AsyncIterator[Sequence[Event]]:
        """The first event of seq `first`, then all of later seqs up to `to`, in order, `page` of them at a time. A
        round trip a page."""
        lowest = highest = 0
        while True:
            place = {"first": first, "to": to, "lowest": lowest, "highest": highest, "most": page}
            async with self._reading("Reading the events") as connection:
                rows = (await connection.execute(EVENTS, place)).all()
            yield [Event(row.seq, row.nonce, row.digest) for row in rows]
            if len(rows) < page:
                return
            first, lowest, highest = rows[-1].seq, rows[-1].n + 1, N_MAX

    async def read_oldest_seq(self, above: int) -> int | None:
        """The lowest seq above `above` from which the event log is whole, or `None`: behind what was pruned, of which
        some lines stay."""
        async with self._reading("Reading the events") as connection:
            return await connection.scalar(OLDEST, {"above": above})

    async def read_records(self, digests: Sequence[bytes]) -> Reading:
        """The rows of up to 512 digests (32 bytes each), with the seq they are as of. One round trip.

        One parameter on PostgreSQL. Elsewhere the list is padded to a power of two by repeating its last digest: ten
        statement texts instead of 512, so that drivers prepare each once.
        """
        if self.engine.dialect.name == "postgresql":
            statement, asked = RECORDS_OF_ARRAY, list(digests)
        else:
            statement = RECORDS
            asked = [*digests, *[digests[-1]] * ((1 << (len(digests) - 1).bit_length()) - len(digests))]
        async with self._reading("Looking up a key") as connection:
            found = (await connection.execute(statement, {"digests": asked})).all()
        rows = {bytes(row[1]): as_plain(row) for row in found if row[0] is None}
        as_of = next((row[0] for row in found if row[0] is not None), None)
        if as_of is None:
            await self.check_primary()
            raise UnavailableError("Looking up a key: the row of gatepost_counter is missing")
        return Reading(as_of, rows)

    async def get_key(self, key_id: str) -> APIKey | None:
        """The key with this id, or `None`. One round trip."""
        async with self._reading("Reading a key") as connection:
            row = (await connection.execute(KEYS.where(keys.c.id == key_id))).one_or_none()
            return None if row is None else as_key(row)

    async def current_secret(self, key_id: str) -> tuple[bytes, str] | None:
        """The digest of a key's current secret, 32 bytes, and its hint; `None` = there is no such key. One round
        trip."""
        async with self._reading("Reading a key") as connection:
            found = (await connection.execute(current_secret(key_id))).one_or_none()
            return None if found is None else (bytes(found.digest), found.hint)

    async def hint_of(self, digest: bytes) -> str | None:
        """The hint of a secret; `None` = no key has it any more. One round trip."""
        async with self._reading("Reading a key") as connection:
            found: str | None = await connection.scalar(hint_of(digest))
            return found

    async def has_limits(self) -> bool:
        """Whether any key has limits but quotas. One round trip, which may look at every key."""
        async with self._reading("Looking for limits") as connection:
            return await connection.scalar(HAS_LIMITS) is not None

    async def list_keys(self, listing: Listing) -> tuple[list[APIKey], str | None, str | None]:
        """One page of keys, and the positions to go on after and to go back before (`None` at an end). One round trip,
        two by expiry, three or four by terms."""
        with_terms = listing.needs_terms and await self.terms_are_current()
        async with self._reading("Listing keys") as connection:
            return await listing.read(connection, with_terms=with_terms)

    async def count_keys(self, wanted: Filter) -> Total:
        """How many keys fit a filter. One round trip, two or three by terms."""
        with_terms = wanted.by_terms and await self.terms_are_current()
        async with self._reading("Counting keys") as connection:
            return await count_keys(wanted, connection, with_terms=with_terms)

    async def list_projects(
        self, *, after: str | None, limit: int, project: str | None = None, environment: str | None = None
    ) -> Sequence[str]:
        """Names of projects, in order, after `after`; of keys for `environment`, or of `project`, if not `None`."""
        async with self._reading("Listing projects") as connection:
            return list(await connection.scalars(projects_statement(after, project, limit, environment)))

    async def ask(self, doing: str, read: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `read` answers on a connection for single statements. `doing`: what `UnavailableError` says failed."""
        async with self._reading(doing) as connection:
            return await read(connection)

    async def terms_are_current(self) -> bool:
        """Whether lists may ask the terms, once what was changed by hand in SQL is caught up with: unless that is very
        much, or the database lets nobody write now."""
        async with self._reading("Listing keys") as connection:
            pending = await search_terms.pending(connection)
        if not pending:
            return pending == 0
        try:
            with mapped_errors("Listing keys"):
                async with Timeout(CATCH_UP_SECONDS), changing(self.engine) as connection:
                    await search_terms.catch_up(connection)
                    await connection.commit()
        except UnavailableError as failure:
            logger.warning("Lists do without terms, and are slow: %s", failure)
            return False
        return True

    async def change(self, actor: Actor | None, make: Callable[[Change], Awaitable[T]]) -> tuple[Change, T]:
        """What `make` did with its `Change`, committed, and what it answered; nothing where it raises or changes
        nothing. In one transaction with what others in this process change meanwhile. It may be called anew, with
        another `Change`, so it keeps nothing from before: where another node of a cluster has changed keys at the same
        moment, or another change of the transaction failed.

        Raises what `make` raises, `UnavailableError` where nothing was changed, also where a statement takes longer
        than `timeout`; `UncertainCommitError` where the database went away in the commit and does not tell within
        `timeout`.
        """
        return await self._changes.ask(actor, make)

    async def _commit(self, group: Group[Change]) -> None:
        """Make a group's changes, in one transaction."""
        await begun_anew(lambda: self._attempt(group))

    async def _attempt(self, group: Group[Change]) -> None:
        """`_commit`, once. Raises `ConflictError` too."""
        engine = self.engine
        try:
            with mapped_errors("Changing keys (nothing was changed)"):
                async with AsyncExitStack() as stack:
                    async with Timeout(self._timeout):
                        await self._heed_file()
                        file, connection = self._file, await stack.enter_async_context(changing(engine))
                    transaction = Transaction(connection, self._timeout)
                    try:
                        await transaction.begin()
                        await group.make(partial(Change, transaction))
                        await commit(transaction, group, file)
                    except DBAPIError as failure:
                        if is_conflict(failure):
                            raise ConflictError from failure
                        group.is_spoilt |= isinstance(failure, IntegrityError | DataError)
                        raise
        except CommitLostError as lost:
            if is_conflict(lost.__cause__):
                group.is_committed = False
                raise ConflictError from lost
            group.is_committed = await was_committed(engine, transaction, self._timeout, self._heed_file)
            if group.is_committed is None:
                raise NobodyKnowsError from lost
            if not group.is_committed:
                raise UnavailableError("The database went away in COMMIT (nothing was changed): try again") from lost
