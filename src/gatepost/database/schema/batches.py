"""Very many ids or rows, in batches that every database takes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from sqlalchemy import ARRAY, BindParameter, ColumnElement, TableValuedAlias, bindparam, func, select

T = TypeVar("T")

BATCH = 2000
"""Ids or rows per statement: well below every database's limit of parameters."""


def batches(values: Iterable[T]) -> Iterator[list[T]]:
    """The values, so many at a time."""
    remaining = iter(values)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def one_of(column: ColumnElement[T], values: Collection[T], dialect: str) -> ColumnElement[bool]:
    """`IN`; on PostgreSQL with all values as one parameter, which is faster to bind and to plan."""
    if dialect == "postgresql":
        array = bindparam(None, list(values), ARRAY(column.type), unique=True)
        return column.in_(select(elements(array).c.element))
    return column.in_(values)


def elements(array: BindParameter[Sequence[T]]) -> TableValuedAlias:
    """The elements of a parameter, on PostgreSQL, as a table of one column `element`.

    As a table, because `= ANY` in a plan for any parameter, made while the table was small, compares each row with each
    element. From a subquery, so that it is such a plan, made once, and not one for just these values each time.
    """
    return func.unnest(select(array).scalar_subquery()).table_valued("element").render_derived()
