"""The terms that keys are found by, as a change leaves them."""

from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Table, delete

from gatepost.base import APIKey, metadata_of
from gatepost.database.schema import batches, term_rows, terms
from gatepost.database.standing import ALIKE_MAX, KeyEdit, ids_of, names_of


class Writing(Protocol):
    """The change that terms are written in."""

    async def execute(self, statement: Any) -> Any:
        """One statement."""

    def add(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rows to be added before the next statement."""

    def one_of(self, column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
        """Whether a column has one of these values."""

    async def read_keys(self, ids: Sequence[str]) -> Mapping[str, APIKey]:
        """The keys as the change leaves them."""


class KeyTerms:
    """What a change writes of terms."""

    def __init__(self, change: Writing) -> None:
        self._change = change

    def insert(self, row: Mapping[str, Any]) -> None:
        """Those of a new key. `row`: its columns, and its hint."""
        self._change.add(terms, terms_in(SimpleNamespace(**row)))

    async def write(self, ids: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
        """Let these keys have these terms and no others."""
        for batch in batches(ids):
            await self._change.execute(delete(terms).where(self._change.one_of(terms.c.key_id, batch)))
        self._change.add(terms, rows)

    async def edit(self, edits: Sequence[KeyEdit]) -> None:
        """Let keys that were edited have the terms of what they are now. Where many lose and gain the same, only that
        is written."""
        alike: dict[tuple[frozenset[str], frozenset[str]], list[KeyEdit]] = {}
        for edit in edits:
            had, has = (frozenset(row["term"] for row in _terms_now(key)) for key in (edit.before, edit.after))
            if had != has:
                alike.setdefault((had ^ has, has - had), []).append(edit)
        if len(alike) > ALIKE_MAX:
            ids = [key_id for same in alike.values() for key_id in ids_of(same)]
            found = await self._change.read_keys(ids)
            await self.write(ids, [row for key in found.values() for row in _terms_now(key)])
            return
        for (others, gained), same in alike.items():
            for batch in batches(ids_of(same)):
                which = terms.c.term.in_(sorted(others)), self._change.one_of(terms.c.key_id, batch)
                await self._change.execute(delete(terms).where(*which))
            self._change.add(
                terms,
                (
                    {"term": term, "project": edit.before.project or "", "key_id": key_id}
                    for edit in same
                    for key_id in edit.ids
                    for term in sorted(gained)
                ),
            )


def terms_in(row: Any) -> list[dict[str, str]]:
    """The terms of a key with one secret, as a row tells of both."""
    names, roles = names_of(row.permissions), names_of(row.roles)
    noted = metadata_of(row.metadata)
    return term_rows(row.id, row.project, row.description, names, [row.hint], roles=roles, metadata=noted)


def terms_of(key: APIKey, *hints: str | None) -> list[dict[str, str]]:
    """The terms of a key that has these secrets."""
    return term_rows(
        key.id,
        key.project,
        key.description,
        key.permissions,
        filter(None, hints),
        roles=key.roles,
        metadata=key.metadata,
    )


def _terms_now(key: APIKey) -> list[dict[str, str]]:
    return terms_of(key, key.hint, None if key.old_secret is None else key.old_secret.hint)
