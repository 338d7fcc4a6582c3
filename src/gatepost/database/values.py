"""What polls and lookups read. Values, and no statements."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatepost.base import Row


@dataclass(frozen=True, slots=True)
class Position:
    """Where the change log stands. `now`: seconds since the epoch by the database's clock when it was read.
    `is_member`: whether the worker that asked has its row. `opened`: how often the database was opened anew, since
    another had taken its place."""

    seq: int
    nonce: int
    now: float
    is_member: bool
    opened: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the change log, as far as freshness needs it (what people read of it is a `ChangeEvent`). `digest`: 32
    bytes; `None` = it is about no key: nothing that was read before it counts."""

    seq: int
    nonce: int
    digest: bytes | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one statement found: `rows` by digest (a digest without one has no key), all as of the seq `as_of`."""

    as_of: int
    rows: Mapping[bytes, Row]
