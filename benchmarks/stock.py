"""Keys with gatepost's own secrets, put into the tables at once; the secret of each is computed from its number."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import TypeVar

from sqlalchemy import insert, select

from gatepost import APIKeys
from gatepost.base.record import Record
from gatepost.base.secret import ID_CHARS, RANDOM_BYTES, SecretFormat, encode_base62
from gatepost.database.connecting.engine import changing
from gatepost.database.schema.tables import counter
from gatepost.database.schema.tables import keys as key_table
from gatepost.database.schema.tables import secrets as secret_table

T = TypeVar("T")

SERVER_KEY = b"of the benchmarks, and no secret".ljust(32, b".")
"""Of the secrets' HMAC: give it to `APIKeys(server_keys=[SERVER_KEY])`."""

FORGER_KEY = b"of one who invents secrets".ljust(32, b".")

PERMISSIONS = ("FILE_UPLOAD", "OBJECTS_LIST")
"""What every key may do."""

BATCH = 2_000
"""Rows per statement."""

QUIET_SECONDS = 0.001

_GENUINE = SecretFormat([SERVER_KEY])
_FORGED = SecretFormat([FORGER_KEY])
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def key_id(number: int) -> str:
    """Of the key with this number: 12 characters."""
    return encode_base62(number, ID_CHARS)


def secret(number: int) -> str:
    """Of the key with this number; genuine whether there is such a key or not."""
    return _GENUINE.make(key_id(number), number.to_bytes(RANDOM_BYTES))


def invented(number: int) -> str:
    """Well-formed, with a right checksum, and never made here: only its HMAC is wrong."""
    return _FORGED.make(key_id(number), number.to_bytes(RANDOM_BYTES))


def digest(number: int) -> bytes:
    """Of the secret of the key with this number: 32 bytes."""
    return sha256(secret(number).encode()).digest()


def batches(values: Iterable[T]) -> Iterable[Sequence[T]]:
    """The values, `BATCH` at a time."""
    left = iter(values)
    while batch := list(islice(left, BATCH)):
        yield batch


async def put_in(keys: APIKeys, numbers: Iterable[int], *, active: bool = True) -> None:
    """Make keys with these numbers, without a verb's work for each. `keys` must be open, and nobody may be using them.

    The rows bear the library's mark, so that triggers do not take them for changes by hand.
    """
    permissions = f" {' '.join(PERMISSIONS)} "
    async with changing(keys._database.engine) as connection:
        mark = {"created_at": _MOMENT, "changed_nonce": await connection.scalar(select(counter.c.nonce))}
        same = mark | {"permissions": permissions, "active": active, "updated_at": _MOMENT, "created_seq": 0}
        for batch in batches((number, key_id(number)) for number in numbers):
            key_rows = [{"id": name, "description": f"key {number}", **same} for number, name in batch]
            secret_rows = [{"digest": digest(n), "key_id": name, "hint": "benchmark", **mark} for n, name in batch]
            await connection.execute(insert(key_table), key_rows)
            await connection.execute(insert(secret_table), secret_rows)
        await connection.commit()


async def settled(keys: APIKeys) -> None:
    """Return when what is to be written to Redis, in the background, has been."""
    redis = keys._opened().redis
    while redis is not None and (redis._pending or redis._writing):  # noqa: ASYNC110 - nothing to wait for
        await asyncio.sleep(QUIET_SECONDS)


def forget(keys: APIKeys) -> None:
    """Empty this process's memory, as a restart would; Redis and the database keep what they hold."""
    keys._opened().lookup._memory.clear()


async def found(keys: APIKeys, digest: bytes) -> Record | None:
    """What gatepost looks up for a digest, without a request around it; `None` where it knows of no key."""
    record = await keys._opened().lookup.find(digest)
    return record if isinstance(record, Record) else None
