"""One change of keys, with its events: what it reads, adds, changes and removes within a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    over,
    select,
    update,
)

from gatepost.base import DIGEST_BYTES, NEVER_USED, Actor, ActorKind, APIKey, KeyNotFoundError
from gatepost.database.fitting import fitting_keys
from gatepost.database.key_terms import KeyTerms, terms_in, terms_of
from gatepost.database.lists import Filter
from gatepost.database.policies import StoredPolicy
from gatepost.database.role_rows import RoleRows
from gatepost.database.schema import KEYS, as_key, batches, events, keys, last_used, one_of, secrets
from gatepost.database.standing import (
    ALIKE_MAX,
    GRANTED,
    NOBODYS,
    TOLD,
    WHOSE,
    Alike,
    Creation,
    KeyEdit,
    Standing,
    creation_detail,
    end_detail,
    ids_of,
    whose,
)
from gatepost.database.transaction import Rows, Transaction

_STANDING = tuple(keys.c[name] for name in ("project", "permissions", "active", "allow", "environment", "limits"))
"""What `Standing` is made of, beside the key's id and whether an older secret lives."""

_GIVEN_BY = tuple(keys.c[name] for name in (*WHOSE, *GRANTED, "resources", "allow", "limits"))
"""What an edit of a role, and whether it may be, depends on."""


class Change:
    """What is being changed. Used by one task, inside `Database.change`.

    `actor`: who, for the events; `None` = the app's own code, which did not say. `seq`, `now`: the change's number, if
    it has any event, and its moment by the database's clock. `nonce`: of that seq, 63 random bits. `digests`: the
    secrets whose keys were changed. `roles`: those that there are. `policies`: what is asked of keys.
    """

    def __init__(self, transaction: Transaction, actor: Actor | None) -> None:
        self._transaction = transaction
        self._actor = actor
        self._rows: Rows = {}
        self._count = 0
        self._has_written = self._is_claimed = False
        self.digests: set[bytes] = set()
        self.seq = transaction.seq + 1
        self.nonce = transaction.nonce
        self.now = transaction.tick()
        self.roles = RoleRows(self)
        self._terms = KeyTerms(self)
        self.policies = transaction.policies

    @property
    def has_events(self) -> bool:
        """Whether it has changed anything."""
        return self._count > 0

    @property
    def needs_rollback(self) -> bool:
        """Whether only a rollback undoes it."""
        return self._has_written or self._transaction.is_broken

    def keep(self) -> None:
        """It is to be committed with the others of its transaction."""
        if self.has_events:
            self._transaction.keep(self.seq, self.nonce, self._rows)

    async def insert_keys(self, rows: Sequence[Mapping[str, Any]], kind: str) -> None:
        """Add keys, with the commit at the latest. `rows`: columns of `gatepost_keys` that are the caller's to say,
        plus `digest`, `hint` and, where the secret is kept, `sealed`."""
        columns = (*TOLD, *GRANTED, *WHOSE)
        common = {
            "created_at": self.now,
            "updated_at": self.now,
            "created_seq": self.seq,
            "changed_nonce": self.nonce,
        }
        self.add(keys, ({name: row.get(name) for name in columns} | common for row in rows))
        self.add(secrets, (self._secret(row["digest"], row["id"], row["hint"], row.get("sealed")) for row in rows))
        for row in rows:
            of_key = {name: row[name] for name in WHOSE}
            self.note(kind, row["id"], of_key, row["digest"], creation_detail(row))
            self._terms.insert(row)
        self.add(last_used, ({"key_id": row["id"], "last_at": NEVER_USED} for row in rows))

    async def known_digests(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of `digests` that a key has already."""
        return {bytes(row.digest) async for row in self._select(select(secrets.c.digest), secrets.c.digest, digests)}

    async def states(self, ids: Sequence[str]) -> Mapping[str, Standing]:
        """What each of the keys may do; an unknown id is not in the answer, nor is that of a key whose secrets somebody
        has deleted by hand: nothing can be done with it, and a change of it would have no event."""
        of_key = secrets.c.key_id == keys.c.id
        lives = exists().where(of_key, secrets.c.expires_at > self.now)
        rows = select(keys.c.id, keys.c.created_seq, lives.label("old"), *_STANDING).where(exists().where(of_key))
        return {row[0]: Standing.of(row) async for row in self._select(rows, keys.c.id, ids)}

    async def select(
        self, wanted: Filter, most: int, *, with_terms: bool, made_by: str | None = None
    ) -> Mapping[str, Standing]:
        """As `states`, of all keys that fit a filter, newest first; `made_by`: and that this key has made.
        `with_terms`: whether terms are up to date. Raises `BadInputError` where they are more than `most`. A round trip
        or two."""
        rows = await self._fitting(_STANDING, wanted, most, with_terms=with_terms, made_by=made_by)
        return {row[0]: Standing.of(row) for row in rows}

    async def alike(self, wanted: Filter, most: int, *, with_terms: bool) -> Alike:
        """The keys that fit a filter, as for `select`, by what an edit of their roles does to them. One round trip
        more."""
        rows = await self._fitting(_GIVEN_BY, wanted, most, with_terms=with_terms)
        ids: dict[tuple[Any, ...], list[str]] = {}
        for row in rows:
            ids.setdefault(tuple(row[3 : 3 + len(_GIVEN_BY)]), []).append(row[0])
        one_each = await self.read_keys([some[0] for some in ids.values()])
        return Alike([row[0] for row in rows], [(one_each[some[0]], some) for some in ids.values()])

    async def secret_of(self, digest: bytes) -> tuple[str, datetime | None] | None:
        """The key that has the secret with this digest, and when the secret expires, if it was rotated out."""
        found = select(secrets.c.key_id, secrets.c.expires_at).where(secrets.c.digest == digest)
        row = (await self.execute(found)).one_or_none()
        return None if row is None else (row.key_id, row.expires_at)

    async def creation_of(self, ids: Sequence[str]) -> Creation | None:
        """How the first of these keys that there has ever been was made, whether it is there still or not."""
        made = select(events.c.key_id, events.c.at, events.c.detail).where(events.c.kind == "created")
        row = (await self.execute(made.where(events.c.key_id.in_(ids)).order_by(events.c.seq).limit(1))).one_or_none()
        return None if row is None else Creation(row.key_id, row.at, orjson.loads(row.detail))

    async def set_active(self, ids: Sequence[str], active: bool) -> None:
        """Switch keys on or off."""
        await self.claim()
        for batch in batches(ids):
            await self._update_keys(self.one_of(keys.c.id, batch), {"active": active})
        detail = {"active": {"old": not active, "new": active}}
        await self._note_keys("activated" if active else "deactivated", ids, detail)

    async def delete_keys(self, ids: Sequence[str]) -> None:
        """Remove keys with their secrets. The events stay, and tell what the keys were."""
        await self.claim()
        for batch in batches(ids):
            of_secrets = select(secrets.c.digest, keys).join_from(secrets, keys, secrets.c.key_id == keys.c.id)
            for row in await self.execute(of_secrets.where(self.one_of(keys.c.id, batch)).order_by(keys.c.id)):
                self.note("deleted", row.id, whose(row), bytes(row.digest), creation_detail(row._asdict()))
            await self._terms.write(batch, ())
            await self.execute(delete(last_used).where(self.one_of(last_used.c.key_id, batch)))
            await self._delete_secrets(self.one_of(secrets.c.key_id, batch))
            await self.execute(delete(keys).where(self.one_of(keys.c.id, batch)))

    async def update_keys(self, edits: Sequence[KeyEdit]) -> None:
        """Edit keys. Those that get the same values are written together, and so are events that tell the same."""
        await self.claim()
        told: dict[bytes, list[KeyEdit]] = {}
        alike: dict[tuple[tuple[str, Any], ...], list[KeyEdit]] = {}
        for edit in edits:
            told.setdefault(orjson.dumps(edit.detail), []).append(edit)
            alike.setdefault(tuple(edit.values.items()), []).append(edit)
        if len(told) <= ALIKE_MAX:
            for same in told.values():
                await self._note_keys("updated", ids_of(same), same[0].detail)
        else:
            await self._note_edits({key_id: edit for edit in edits for key_id in edit.ids})
        for values, same in alike.items():
            for batch in batches(ids_of(same)):
                await self._update_keys(self.one_of(keys.c.id, batch), dict(values))
        await self._terms.edit(edits)

    async def rotate_secret(self, key: APIKey, digest: bytes, hint: str, sealed: str | None, grace: timedelta) -> None:
        """Give a key a new current secret. The one before lives `grace` longer; one before that dies now. `key`: as it
        is before.

        Without any grace the old secret's row goes, so that it is unknown at once.
        """
        await self.claim()
        detail = {"hint": {"old": key.hint, "new": hint}, "grace_seconds": grace.total_seconds()}
        await self._note_keys("rotated", [key.id], detail)
        of_key = secrets.c.key_id == key.id
        await self._delete_secrets(and_(of_key, secrets.c.expires_at.is_not(None)) if grace else of_key)
        older = update(secrets).where(of_key)
        await self.execute(older.values(expires_at=self.now + grace, changed_nonce=self.nonce))
        self.add(secrets, [self._secret(digest, key.id, hint, sealed)])
        await self._update_keys(keys.c.id == key.id, {})
        self.note("rotated", key.id, whose(key), digest, detail)
        await self._terms.write([key.id], terms_of(key, hint, key.hint if grace else None))

    async def end_grace(self, ids: Sequence[str]) -> None:
        """Take the older secrets of keys away, so that they are unknown at once."""
        await self.claim()
        for batch in batches(ids):
            of_batch = self.one_of(secrets.c.key_id, batch)
            of_keys = select(secrets.c.digest, secrets.c.hint, secrets.c.expires_at.label("ends"), keys).join_from(
                secrets, keys, secrets.c.key_id == keys.c.id
            )
            rows = (await self.execute(of_keys.where(of_batch).order_by(secrets.c.expires_at))).all()
            ended = {row.id: row for row in rows if row.ends is not None}
            for row in rows:
                if row.id in ended:
                    self.note("grace_ended", row.id, whose(row), bytes(row.digest), end_detail(ended[row.id]))
            await self._delete_secrets(and_(of_batch, secrets.c.expires_at.is_not(None)))
            await self._update_keys(self.one_of(keys.c.id, batch), {})
            await self._terms.write(batch, [term for row in rows if row.ends is None for term in terms_in(row)])

    async def reveal_secret(self, key_id: str) -> tuple[bytes, str | None]:
        """The digest of a key's current secret, and the secret as it is sealed, where it is; noted as an event."""
        await self.claim()
        await self._note_keys("revealed", [key_id])
        current = select(secrets.c.digest, secrets.c.sealed).where(
            secrets.c.key_id == key_id, secrets.c.expires_at.is_(None)
        )
        row = (await self.execute(current)).one()
        return bytes(row.digest), row.sealed

    async def note_leak(self, key: APIKey, digest: bytes, detail: Mapping[str, Any]) -> bool:
        """Tell that a secret was found in the open; answers whether it is told for the first time. The same find, of
        this secret with this detail, is told once."""
        of_find = (events.c.key_id == key.id, events.c.kind == "leaked", events.c.digest == digest)
        told = select(events.c.seq).where(*of_find, events.c.detail == orjson.dumps(detail).decode()).limit(1)
        if (await self.execute(told)).one_or_none() is not None:
            return False
        await self.claim()
        self.note("leaked", key.id, whose(key), digest, detail)
        return True

    async def invalidate(self) -> None:
        """Have every worker distrust all that was read before this change, whatever past of the database it is of: the
        counter goes on at the number of microseconds since the epoch, above every seq that any past can have had."""
        await self.claim()
        self.seq = max(self.seq, int(self.now.timestamp() * 1e6))
        await self._transaction.place(self.seq, self.nonce)
        self.note("invalidated", None, NOBODYS, None, None)

    async def write_policy(self, project: str | None, policy: StoredPolicy | None, detail: Mapping[str, Any]) -> None:
        """Let a project, or the company, have this policy; `None` = none any more. The event is about a secret that
        nobody has: of one about none, every worker would forget all that it remembers."""
        await self.claim()
        await self.policies.write(project, policy)
        self.note("policy", None, {**NOBODYS, "project": project}, bytes(DIGEST_BYTES), detail)

    async def read_keys(self, ids: Sequence[str]) -> Mapping[str, APIKey]:
        """The keys as this change leaves them, those that there are."""
        return {row.id: as_key(row) async for row in self._select(KEYS, keys.c.id, ids)}

    async def read_key(self, key_id: str) -> APIKey:
        """The key as this change leaves it. Raises `KeyNotFoundError`."""
        row = (await self.execute(KEYS.where(keys.c.id == key_id))).one_or_none()
        if row is None:
            raise KeyNotFoundError([key_id])
        return as_key(row)

    def _secret(self, digest: bytes, key_id: str, hint: str, sealed: str | None) -> dict[str, Any]:
        """A new row of `gatepost_secrets`."""
        return {
            "digest": digest,
            "key_id": key_id,
            "hint": hint,
            "sealed": sealed,
            "created_at": self.now,
            "changed_nonce": self.nonce,
        }

    async def _update_keys(self, which: ColumnElement[bool], values: Mapping[str, Any]) -> None:
        statement = update(keys).where(which).values(**values, updated_at=self.now, changed_nonce=self.nonce)
        await self.execute(statement)

    async def _delete_secrets(self, which: ColumnElement[bool]) -> None:
        """Two statements: what is deleted by hand has not been marked before."""
        await self.execute(update(secrets).where(which).values(changed_nonce=-1 - self.nonce))
        await self.execute(delete(secrets).where(which))

    def one_of(self, column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
        """Whether a column has one of these values."""
        return one_of(column, values, self._transaction.dialect)

    async def claim(self) -> None:
        """Get ready to write: before the first event that bears the nonce. All events of a change bear the same."""
        if self._is_claimed:
            return
        self._has_written = self._is_claimed = True
        self.nonce = await self._transaction.own_nonce(self.seq)

    async def execute(self, statement: Any) -> CursorResult[Any]:
        """One statement, which sees all that was changed before."""
        self._has_written |= bool(self._rows)
        await self._transaction.add(self._rows)
        return await self._transaction.execute(statement)

    def add(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rows to be added before the next statement."""
        self._rows.setdefault(table, []).extend(rows)

    async def _note_edits(self, edits: Mapping[str, KeyEdit]) -> None:
        """Write an event for each secret of many keys, each with a detail of its own."""
        of_keys = select(secrets.c.digest, secrets.c.key_id).order_by(secrets.c.key_id, secrets.c.digest)
        async for row in self._select(of_keys, secrets.c.key_id, list(edits)):
            edit = edits[row.key_id]
            self.note("updated", row.key_id, whose(edit.before), bytes(row.digest), edit.detail)

    async def _note_keys(self, kind: str, ids: Sequence[str], detail: Mapping[str, Any] | None = None) -> None:
        """Write an event for each secret that the keys have now: inside the database, since there may be very many."""
        for batch in batches(ids):
            n = over(func.row_number(), order_by=secrets.c.digest) + (self._count - 1)
            event = self._event(kind, detail) | {
                "n": n,
                "digest": secrets.c.digest,
                "key_id": secrets.c.key_id,
                **{name: keys.c[name] for name in WHOSE},
            }
            values = [
                value if isinstance(value, ColumnElement) else literal(value, events.c[name].type)
                for name, value in event.items()
            ]
            of_batch = select(*values).join_from(secrets, keys, secrets.c.key_id == keys.c.id)
            of_batch = of_batch.where(self.one_of(secrets.c.key_id, batch))
            add = insert(events).from_select(list(event), of_batch)
            if self._transaction.returns_inserts:
                found = await self.execute(add.returning(events.c.digest))
            else:
                await self.execute(add)
                found = await self.execute(select(secrets.c.digest).where(self.one_of(secrets.c.key_id, batch)))
            digests = {bytes(digest) for digest in found.scalars()}
            self.digests |= digests
            self._count += len(digests)

    def note(
        self,
        kind: str,
        key_id: str | None,
        of_key: Mapping[str, Any],
        digest: bytes | None,
        detail: Mapping[str, Any] | None,
    ) -> None:
        """An event to be written with the commit."""
        place = {"n": self._count, "digest": digest, "key_id": key_id}
        self.add(events, [self._event(kind, detail) | place | {**of_key}])
        self._count += 1
        if digest is not None:
            self.digests.add(digest)

    def _event(self, kind: str, detail: Mapping[str, Any] | None) -> dict[str, Any]:
        """What the events of a change have in common."""
        actor = self._actor
        return {
            "seq": self.seq,
            "nonce": self.nonce,
            "kind": kind,
            "actor": None if actor is None else actor.name,
            "actor_kind": str(ActorKind.OPERATOR if actor is None else actor.kind),
            "actor_id": None if actor is None else actor.identity,
            "address": None if actor is None else actor.address,
            "at": self.now,
            "detail": None if detail is None else orjson.dumps(detail).decode(),
        }

    async def _fitting(self, columns: Sequence[Any], wanted: Filter, most: int, **how: Any) -> Sequence[Any]:
        self._has_written |= bool(self._rows)
        await self._transaction.add(self._rows)
        return await fitting_keys(self._transaction, self.now, columns, wanted, most, **how)

    async def _select(self, statement: Any, column: Any, values: Sequence[Any]) -> Any:
        for batch in batches(values):
            for row in await self.execute(statement.where(self.one_of(column, batch))):
                yield row
