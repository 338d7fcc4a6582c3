"""An installation with very many keys: made in PostgreSQL by PostgreSQL, then read by gatepost into its tiers.

Every secret's text follows from its number, so that nobody need keep a million of them. They are as long as gatepost's
own (65 characters, so SHA-256 takes as long), but not of its format: keys are opened with `foreign_secrets=True`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.servers.databases import create_database

from benchmarks.rounds import Tell
from benchmarks.stock import settled
from gatepost import APIKeys, Outcome
from gatepost.database.database import READ_MAX

SECRET_CHARS = 65
"""Of a text: as many as of one of gatepost's own with the default prefix."""

BYTES_PER_KEY = 1_700
"""Of disk, while a database is being filled: tables, indexes, what is being sorted, and the write-ahead log."""

AT_ONCE = 4 * READ_MAX
"""Keys that are read together: as many as fit the statements that a worker has under way at once."""

STILL: dict[str, Any] = {
    "foreign_secrets": True,
    "max_staleness": 36_000.0,
    "poll_interval": 600.0,
    "memory_ttl": 36_000.0,
    "redis_ttl": 36_000.0,
    "read_timeout": 60.0,
    "redis_timeout": 10.0,
}
"""Options of `APIKeys` under which nothing but the measured lookups happens: hardly a poll, nothing lapses, and no
timeout on a busy machine. None of them changes what a lookup does."""

READ_BYTES = 400
"""Of a key, in the tables and indexes that a lookup reads: what PostgreSQL should hold in its own memory."""

LEAST_BUFFERS = 128 * 2**20
"""PostgreSQL's default."""

PERMISSION_SETS = (
    "FILE_UPLOAD OBJECTS_LIST",
    "OBJECTS_FETCH OBJECTS_LIST",
    "OBJECTS_LIST",
    "DIR_CREATE FILE_META_CHANGE FILE_RENAME FILE_UPLOAD OBJECTS_LIST",
    "COLLECTIONS_LIST LABELS_LIST OBJECTS_FETCH",
    "FILE_DELETE FILE_MOVE OBJECTS_LIST",
)
"""What keys may do: the key with number n has the set with number n modulo six. Most apps have a few kinds of keys."""

Known = dict[bytes, tuple[str, frozenset[str]]]
"""Ids and permissions by digest."""

_SCATTER = 61_803_398_877
"""Has no divisor in common with 10**11, so that ids are unique, and in no order."""

ID = f"'k' || lpad((i * {_SCATTER} % 100000000000)::text, 11, '0')"
SECRET = f"rpad('benchmark_' || i || '_', {SECRET_CHARS}, '0')"
DIGEST = f"sha256(convert_to({SECRET}, 'UTF8'))"
NONCE = "(SELECT nonce FROM gatepost_counter)"
MADE = "timestamptz '2024-01-01 00:00:00Z' + i * interval '1 second'"
UPDATED = f"{MADE} + interval '30 days' * (i % 3)"
PROJECT = "CASE WHEN i % 5 > 0 THEN 'project-' || i % 1000 END"
DESCRIPTION = """(ARRAY['nightly import', 'web shop', 'backup of the archive', 'mobile app', 'press portal', 'CI',
    'product feed for partners', 'image resizing worker'])[1 + i % 8] || ' ' || i"""
PERMISSIONS = f"(ARRAY{[f' {names} ' for names in PERMISSION_SETS]})[1 + i % {len(PERMISSION_SETS)}]"
NUMBERS = "generate_series(0, CAST(:count AS bigint) - 1) AS numbers(i)"

INSERTS = (
    f"""INSERT INTO gatepost_keys (id, project, description, permissions, active, created_at, updated_at, created_seq,
        changed_nonce)
    SELECT {ID}, {PROJECT}, {DESCRIPTION}, {PERMISSIONS}, true, {MADE}, {UPDATED}, i + 1, {NONCE}
    FROM {NUMBERS} ORDER BY 1""",
    f"""INSERT INTO gatepost_secrets (digest, key_id, hint, created_at, changed_nonce)
    SELECT {DIGEST}, {ID}, 'benchmark', {MADE}, {NONCE}
    FROM {NUMBERS} ORDER BY 1""",
    "UPDATE gatepost_counter SET seq = :count",
    f"""INSERT INTO gatepost_events (seq, n, nonce, digest, key_id, kind, at)
    SELECT i + 1, 0, nonce, {DIGEST}, {ID}, 'created', now()
    FROM gatepost_counter, (SELECT CAST(:count AS bigint) - 1 AS i) AS last""",
)
"""Active keys, four in five of one of 800 projects, with six sets of permissions; as if a change of its own had made
each, long ago, and all events but the last were gone. In the order of the primary keys, so that their indexes grow at
one end. Terms, which only lists are searched by, are not written."""

SECONDARY = """SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
    WHERE indrelid IN ('gatepost_keys'::regclass, 'gatepost_secrets'::regclass) AND NOT indisprimary"""
"""The indexes that are dropped meanwhile and then made again from their own definition, in a third of the time."""


def server_settings(keys: int) -> dict[str, str]:
    """Of a PostgreSQL for so many keys, as whoever runs one would choose them; its defaults are for a small machine."""
    return {
        "shared_buffers": f"{max(LEAST_BUFFERS, keys * READ_BYTES) // 2**20}MB",
        "maintenance_work_mem": "256MB",
        "work_mem": "128MB",
        "max_wal_size": "8GB",
        "checkpoint_timeout": "1h",
    }


def secret(number: int) -> bytes:
    """The text of the key with this number, from 0: 65 bytes."""
    return (b"benchmark_%d_" % number).ljust(SECRET_CHARS, b"0")


def digest(number: int) -> bytes:
    """Of the secret of the key with this number: 32 bytes."""
    return sha256(secret(number)).digest()


def permissions(number: int) -> Sequence[str]:
    """What the key with this number may do."""
    return PERMISSION_SETS[number % len(PERMISSION_SETS)].split()


def key_id(number: int) -> str:
    """The id of the key with this number, from 0: 12 characters."""
    return f"k{number * _SCATTER % 10**11:011}"


def known(keys: int, *, shared: bool) -> Known:
    """What one keeps by hand of so many keys. `shared`: one set for all keys that have the same permissions."""
    sets = [frozenset(names.split()) for names in PERMISSION_SETS]
    return {
        digest(number): (key_id(number), sets[number % len(sets)] if shared else frozenset(permissions(number)))
        for number in range(keys)
    }


async def create(server: str, keys: int) -> str:
    """Make a database with `keys` keys in the PostgreSQL that a superuser's URL leads to; the new one's URL. About 25 s
    a million."""
    url = await asyncio.to_thread(create_database, server)
    await APIKeys(url).create_schema()
    await fill(url, keys)
    return url


async def fill(url: str, keys: int) -> None:
    """Make keys in a database that has none. The user must be a superuser.

    The rows bear the library's mark and are no change by hand, so triggers would do nothing; nor would the check of
    foreign keys find anything. In this session both are skipped. The schema ends as it was."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            secondary = (await connection.execute(text(SECONDARY))).all()
            await connection.execute(text("SET session_replication_role = replica"))
            for name, _ in secondary:
                await connection.execute(text(f"DROP INDEX {name}"))
            for insert in INSERTS:
                await connection.execute(text(insert), {"count": keys})
            for _, definition in secondary:
                await connection.execute(text(definition))
            for table in ("gatepost_keys", "gatepost_secrets"):  # autovacuum would do it, given a minute
                await connection.execute(text(f"VACUUM (ANALYZE) {table}"))
            await connection.execute(text("CHECKPOINT"))  # or whoever reads next would write
    finally:
        await engine.dispose()


async def read(keys: APIKeys, numbers: Iterable[int]) -> None:
    """Look keys up, all at once. Raises `RuntimeError` where one of them is not let in."""
    verdicts = await asyncio.gather(*[keys.judge(secret(number)) for number in numbers])
    wrong = [outcome for outcome, _ in verdicts if outcome is not Outcome.VALID]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(verdicts)} keys are not let in: {wrong[0]}")


async def read_all(keys: APIKeys, numbers: Sequence[int], tell: Tell | None = None) -> None:
    """Look every key up once, so that each tier remembers it, and return when Redis holds what it was sent."""
    for first in range(0, len(numbers), AT_ONCE):
        await read(keys, numbers[first : first + AT_ONCE])
        await settled(keys)
        if tell is not None and first % (16 * AT_ONCE) == 0:
            tell(f"read {first:,} of {len(numbers):,} keys")
