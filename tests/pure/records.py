"""Rows and records for the tests of this folder."""

from typing import Any

from gatepost.base.record import Record, Row, decode

CREATED = 1_750_000_000.25
"""A moment in June 2025, in seconds since the epoch, exact in binary."""


def row(**changes: Any) -> Row:
    """A row as the tiers and the database give it: an active key that never expires, except for `changes`."""
    columns: dict[str, Any] = {
        "id": "4fT0aK9sQ2Lm",
        "project": "acme",
        "description": "nightly import",
        "permissions": "FILE_UPLOAD OBJECTS_LIST",
        "active": True,
        "created": CREATED,
        "updated": CREATED,
        "key_expires": None,
        "secret_expires": None,
        "allow": None,
        "limits": None,
        "owner": None,
        "environment": None,
        "metadata": None,
        "template": None,
        "resources": None,
        "role_resources": None,
    }
    assert changes.keys() <= columns.keys()
    return list((columns | changes).values())


def record(as_of: int = 1, until: float = 1e9, **changes: Any) -> Record:
    """The record of `row(**changes)`."""
    found = decode(row(**changes), as_of, until)
    assert isinstance(found, Record)
    return found
