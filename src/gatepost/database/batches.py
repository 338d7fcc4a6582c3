"""Very many ids or rows, in batches that every database takes."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import ARRAY, ColumnElement, bindparam

T = TypeVar("T")

BATCH = 2000
"""Ids or rows per statement: well below every database's limit of parameters."""


def batches(values: Iterable[T]) -> Iterator[list[T]]:
    """The values, so many at a time."""
    remaining = iter(values)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def one_of(column: ColumnElement[str], values: Collection[str], dialect: str) -> ColumnElement[bool]:
    """`IN`; on PostgreSQL with all values as one parameter, which is faster to bind and to plan."""
    if dialect == "postgresql":
        return column == bindparam(None, list(values), ARRAY(column.type), unique=True).any_()
    return column.in_(values)
