"""Keys changed by hand in SQL, behind the library's back: every worker notices, and the change log tells of it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import groupby
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gatepost import APIKeys, ImportedKey, KeyNotFoundError, Outcome, UnavailableError
from gatepost.database.connecting.engine import changing
from gatepost.database.schema.schema import TRIGGERS, alembic_config
from gatepost.database.schema.tables import counter, events

ByHand = Callable[..., Awaitable[None]]


def digest(secret: str) -> bytes:
    """What is stored of a secret."""
    return sha256(secret.encode()).digest()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """As a person at the database's own shell is connected: SQLite's does not enforce foreign keys."""
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def by_hand(engine: AsyncEngine) -> ByHand:
    """`await by_hand("UPDATE …", "DELETE …", name=value)`: the statements, in one transaction."""

    async def run(*statements: str, **values: Any) -> None:
        async with engine.begin() as connection:
            for statement in statements:
                query = text(statement)
                await connection.execute(query, {name: values[name] for name in query.compile().params})

    return run


@pytest.fixture
async def keys(database_url: str) -> AsyncIterator[APIKeys]:
    """A worker that polls only when it is told to, so that what it remembers is old until then."""
    keys = APIKeys(database_url, foreign_secrets=True, poll_interval=60, max_staleness=600, absent_ttl=600)
    await keys.create_schema()
    async with keys:
        await keys.serve()
        yield keys


async def poll(keys: APIKeys) -> None:
    """The worker's next poll."""
    await keys._opened().freshness.poll()


async def log_of(engine: AsyncEngine) -> list[Any]:
    """All events in order, after it was seen that the log is whole: no seq is missing, each begins with n = 0, and it
    ends where the counter stands."""
    async with engine.connect() as connection:
        rows = list(await connection.execute(select(events).order_by(events.c.seq, events.c.n)))
        position = (await connection.execute(select(counter.c.seq, counter.c.nonce))).one()
    by_seq = {seq: list(of_seq) for seq, of_seq in groupby(rows, key=lambda row: row.seq)}
    assert list(by_seq) == list(range(position.seq + 1))
    for of_seq in by_seq.values():
        assert [row.n for row in of_seq] == list(range(len(of_seq)))
        assert len({row.nonce for row in of_seq}) == 1
        assert 0 <= of_seq[0].nonce < 2**63
    assert rows[-1].nonce == position.nonce
    assert len({of_seq[0].nonce for of_seq in by_seq.values()}) == len(by_seq)
    return rows


async def sql_events(engine: AsyncEngine) -> list[Any]:
    """The events that the triggers wrote."""
    return [row for row in await log_of(engine) if row.kind == "sql"]


KEY = "id, project, description, permissions, active, created_at, updated_at, created_seq"
SECRET = "digest, key_id, hint, created_at"
SAME_KEY = f"INSERT INTO gatepost_keys ({KEY}) SELECT {KEY} FROM (SELECT * FROM gatepost_keys WHERE id = :id) AS given"
ON_CONFLICT = "ON CONFLICT (id) DO UPDATE SET active = NOT gatepost_keys.active"
REPLACE_KEY = f"REPLACE INTO gatepost_keys ({KEY}) SELECT {KEY.replace('active', 'NOT active')} FROM gatepost_keys"
REPLACE_SECRET = (
    f"REPLACE INTO gatepost_secrets ({SECRET}) SELECT digest, :other, hint, created_at FROM gatepost_secrets"
)
EDITS = {
    "switched off": "UPDATE gatepost_keys SET active = NOT active WHERE id = :id",
    "all rows at once": "UPDATE gatepost_keys SET active = NOT active",
    "expired": "UPDATE gatepost_keys SET expires_at = '2020-01-01 00:00:00' WHERE id = :id",
    "the secret expired": "UPDATE gatepost_secrets SET expires_at = '2020-01-01 00:00:00' WHERE digest = :digest",
    "the digest changed": "UPDATE gatepost_secrets SET digest = :new WHERE digest = :digest",
    "moved to another key": "UPDATE gatepost_secrets SET key_id = :other WHERE digest = :digest",
    "the secret deleted": "DELETE FROM gatepost_secrets WHERE digest = :digest",
    "the key deleted": "DELETE FROM gatepost_keys WHERE id = :id",
    "all keys deleted": "DELETE FROM gatepost_keys",
    "all secrets deleted": "DELETE FROM gatepost_secrets",
    "with a nonce from elsewhere": "UPDATE gatepost_keys SET active = NOT active, changed_nonce = 7 WHERE id = :id",
    "with no nonce": "UPDATE gatepost_keys SET active = NOT active, changed_nonce = 0 WHERE id = :id",
    "upserted (SQLite)": f"{SAME_KEY} WHERE true {ON_CONFLICT}",  # without WHERE, ON would belong to a join
    "upserted (PostgreSQL)": f"{SAME_KEY} {ON_CONFLICT}",
    "upserted (MariaDB)": f"{SAME_KEY} ON DUPLICATE KEY UPDATE active = NOT given.active",
    "the key replaced (SQLite)": REPLACE_KEY + " WHERE id = :id",
    "the key replaced (MariaDB)": REPLACE_KEY + " WHERE id = :id",
    "the secret replaced (SQLite)": REPLACE_SECRET + " WHERE digest = :digest",
    "the secret replaced (MariaDB)": REPLACE_SECRET + " WHERE digest = :digest",
    "the key renamed (SQLite)": "UPDATE gatepost_keys SET id = 'elsewhere' WHERE id = :id",
}
WHO = {"sqlite": "SELECT NULL", "postgresql": "SELECT session_user", "mysql": "SELECT USER()"}
BACKENDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB"}


def edits_of(backend: str) -> dict[str, str]:
    """Those that a database has."""
    return {name: statement for name, statement in EDITS.items() if "(" not in name or BACKENDS[backend] in name}


async def test_whatever_is_done_to_a_key_by_hand_holds_from_the_next_poll_on(
    keys: APIKeys, engine: AsyncEngine, by_hand: ByHand
) -> None:
    other = await keys.create("another, switched off")
    await keys.deactivate(other.key.id)
    for name, statement in edits_of(engine.dialect.name).items():
        issued = await keys.create(name)
        new = f"the new secret when {name}"
        assert (await keys.verify(issued.secret)).valid
        assert not (await keys.verify(new)).valid
        before = len(await sql_events(engine))
        await by_hand(statement, id=issued.key.id, digest=digest(issued.secret), new=digest(new), other=other.key.id)
        assert (await keys.verify(issued.secret)).valid, f"{name}: memory alone cannot know"
        await poll(keys)
        assert not (await keys.verify(issued.secret)).valid, name
        assert (await keys.verify(new)).valid == (name == "the digest changed")
        told = {row.digest for row in (await sql_events(engine))[before:]}
        assert digest(issued.secret) in told, name
        assert (digest(new) in told) == (name == "the digest changed")
        if name == "all rows at once":
            assert digest(other.secret) in told
        if name.startswith("all"):
            await by_hand("DELETE FROM gatepost_keys", "DELETE FROM gatepost_secrets")
            other = await keys.create("another, switched off")
            await keys.deactivate(other.key.id)


async def test_a_secret_made_by_hand_is_let_in_though_it_was_remembered_as_unknown(
    keys: APIKeys, engine: AsyncEngine, by_hand: ByHand
) -> None:
    assert (await keys.verify("made elsewhere")).outcome is Outcome.INVALID
    now = "'2024-01-01 00:00:00'"
    await by_hand(
        f"INSERT INTO gatepost_keys ({KEY}) VALUES ('by-hand', NULL, 'x', '  ', (1 = 1), {now}, {now}, 0)",
        f"INSERT INTO gatepost_secrets ({SECRET}) VALUES (:digest, 'by-hand', 'hint', {now})",
        digest=digest("made elsewhere"),
    )
    assert (await keys.verify("made elsewhere")).outcome is Outcome.INVALID
    await poll(keys)
    assert (await keys.verify("made elsewhere")).outcome is Outcome.VALID


async def test_the_log_tells_who_changed_what_by_hand_and_when(
    keys: APIKeys, engine: AsyncEngine, by_hand: ByHand
) -> None:
    issued = await keys.create("a key")
    rotated = await keys.rotate(issued.key.id, grace=60)
    await by_hand("UPDATE gatepost_keys SET description = 'by hand' WHERE id = :id", id=issued.key.id)
    first, second = await sql_events(engine)
    assert (first.seq, first.n, second.n) == (3, 0, 1), "one change, with an event for each secret"
    assert {first.digest, second.digest} == {digest(issued.secret), digest(rotated.secret)}
    async with engine.connect() as connection:
        user = await connection.scalar(text(WHO[engine.dialect.name]))
    for row in (first, second):
        assert (row.key_id, row.actor, row.detail) == (issued.key.id, user, None)
        assert (row.actor_kind, row.actor_id) == ("database", user)
        assert abs(row.at - datetime.now(UTC)) < timedelta(seconds=30)


async def test_what_touches_no_secret_is_not_counted(keys: APIKeys, engine: AsyncEngine, by_hand: ByHand) -> None:
    await keys.create("a key")
    before = await log_of(engine)
    now = "'2024-01-01 00:00:00'"
    await by_hand(
        "UPDATE gatepost_keys SET active = NOT active WHERE id = 'nobody'",
        "DELETE FROM gatepost_secrets WHERE key_id = 'nobody'",
        f"INSERT INTO gatepost_keys ({KEY}) VALUES ('no-secret', NULL, 'x', '  ', (1 = 1), {now}, {now}, 0)",
        "UPDATE gatepost_keys SET active = NOT active WHERE id = 'no-secret'",
        "DELETE FROM gatepost_keys WHERE id = 'no-secret'",
    )
    assert await log_of(engine) == before


async def test_what_is_rolled_back_by_hand_leaves_no_trace(keys: APIKeys, engine: AsyncEngine) -> None:
    issued = await keys.create("a key")
    before = await log_of(engine)
    async with engine.connect() as connection:
        await connection.execute(text("UPDATE gatepost_keys SET active = NOT active"))
        await connection.rollback()
    assert await log_of(engine) == before
    await poll(keys)
    assert (await keys.verify(issued.secret)).valid


async def test_the_librarys_own_changes_are_told_once_and_not_as_made_by_hand(
    keys: APIKeys, engine: AsyncEngine
) -> None:
    issued = await keys.create("a key", ["FILE_UPLOAD"])
    await keys.update(issued.key.id, description="another name")
    await keys.rotate(issued.key.id, grace=60)
    await keys.rotate(issued.key.id, grace=60)
    await keys.deactivate(issued.key.id)
    await keys.activate(issued.key.id)
    await keys.rotate(issued.key.id, grace=0)
    made = await keys.import_digests([ImportedKey(digest=digest(f"n {n}"), description="x") for n in range(600)])
    ids = [key.id for key in made]
    await keys.deactivate(ids)
    await keys.deactivate(ids)  # changes nothing
    await keys.delete([issued.key.id, *ids])
    told = [(row.seq, row.kind) for row in await log_of(engine)]
    assert told == [
        (0, "installed"),
        (1, "created"),
        (2, "updated"),
        *[(3, "rotated")] * 2,
        *[(4, "rotated")] * 3,
        *[(5, "deactivated")] * 2,
        *[(6, "activated")] * 2,
        *[(7, "rotated")] * 3,
        *[(8, "imported")] * 600,
        *[(9, "deactivated")] * 600,
        *[(10, "deleted")] * 601,
    ]


async def test_edits_by_hand_are_noticed_right_after_each_of_the_librarys_changes(
    keys: APIKeys, engine: AsyncEngine, by_hand: ByHand
) -> None:
    """The rows then bear the nonce that the counter still has."""
    issued = await keys.create("a key")
    secret = issued.secret
    for change in (None, keys.deactivate, keys.activate, "rotate"):
        if change == "rotate":
            secret = (await keys.rotate(issued.key.id, grace=60)).secret
        elif callable(change):
            await change(issued.key.id)
        was = (await keys.verify(secret)).valid
        for _ in range(2):
            await by_hand("UPDATE gatepost_keys SET active = NOT active")
            await poll(keys)
            was = not was
            assert (await keys.verify(secret)).valid is was
    await keys.update(issued.key.id, description="another")
    assert (await keys.verify(secret)).valid
    await by_hand("DELETE FROM gatepost_secrets")
    await poll(keys)
    assert (await keys.verify(secret)).outcome is Outcome.INVALID
    await log_of(engine)


async def test_many_keys_deleted_by_hand_are_all_told(keys: APIKeys, engine: AsyncEngine, by_hand: ByHand) -> None:
    await keys.import_digests([ImportedKey(digest=digest(f"n {n}"), description="x") for n in range(700)])
    await by_hand("DELETE FROM gatepost_keys")
    assert {row.digest for row in await sql_events(engine)} == {digest(f"n {n}") for n in range(700)}


async def test_edits_by_hand_and_the_librarys_changes_at_once_are_all_in_the_log(
    keys: APIKeys, engine: AsyncEngine
) -> None:
    """On PostgreSQL none of them fails: both take the counter first. MariaDB and MySQL resolve a deadlock by refusing
    one of the two, which changed nothing."""
    issued = [await keys.create(f"key {n}") for n in range(4)]
    ids = [each.key.id for each in issued]
    start = len(ids)
    refused: list[Exception] = []

    async def by_library(index: int) -> int:
        made = 0
        for n in range(30):
            try:
                await keys.update(ids[(n + index) % 4], description=f"{index} {n}")
                made += 1
            except UnavailableError as failure:
                refused.append(failure)
        return made

    async def edits_by_hand(index: int) -> int:
        made = 0
        order = ids[index:] + ids[:index]
        for n in range(30):
            try:
                async with engine.begin() as connection:
                    await connection.execute(
                        text("UPDATE gatepost_keys SET description = :text WHERE id IN (:a, :b)"),
                        {"text": f"hand {n}", "a": order[n % 4], "b": order[(n + 1) % 4]},
                    )
                made += 1
            except DBAPIError as failure:
                refused.append(failure)
        return made

    made = await asyncio.gather(by_library(0), edits_by_hand(0), by_library(1), edits_by_hand(2))
    log = await log_of(engine)
    assert sum(row.kind == "updated" for row in log) == made[0] + made[2]
    assert sum(row.kind == "sql" for row in log) == 2 * (made[1] + made[3])
    assert log[-1].seq >= start + sum(made)
    assert min(made) > 0
    if engine.dialect.name == "postgresql":
        assert not refused


async def test_a_worker_that_polls_by_itself_notices_within_moments(database_url: str, by_hand: ByHand) -> None:
    keys = APIKeys(database_url, poll_interval=0.05, max_staleness=5)
    await keys.create_schema()
    async with keys:
        issued = await keys.create("a key")
        assert (await keys.verify(issued.secret)).valid
        await by_hand("UPDATE gatepost_keys SET active = NOT active")
        async with asyncio.timeout(120):
            while (await keys.verify(issued.secret)).valid:  # noqa: ASYNC110 - the poll tells nobody
                await asyncio.sleep(0.01)


async def test_keys_made_before_the_triggers_were_are_kept_and_watched(
    database_url: str, engine: AsyncEngine, by_hand: ByHand
) -> None:
    for revision in ("0001", "0002"):

        def migrate(connection: Connection, revision: str = revision) -> None:
            command.upgrade(alembic_config(connection), revision)

        async with changing(engine) as connection:
            await connection.run_sync(migrate)
            await connection.commit()
        now = "'2024-01-01 00:00:00'"
        await by_hand(
            f"INSERT INTO gatepost_keys ({KEY}) VALUES (:id, NULL, 'x', '  ', (1 = 1), {now}, {now}, 0)",
            f"INSERT INTO gatepost_secrets ({SECRET}) VALUES (:digest, :id, 'hint', {now})",
            id=f"keyFrom0{revision}",
            digest=digest(f"secret {revision}"),
        )
    keys = APIKeys(database_url, foreign_secrets=True, poll_interval=60, max_staleness=600)
    await keys.create_schema()
    async with keys:
        assert (await keys.schema_status()).triggers
        for revision in ("0001", "0002"):
            assert (await keys.verify(f"secret {revision}")).valid
        await keys.deactivate("keyFrom00001")
        await by_hand("UPDATE gatepost_keys SET active = NOT active")
        await poll(keys)
        assert (await keys.verify("secret 0001")).valid
        assert (await keys.verify("secret 0002")).outcome is Outcome.DEACTIVATED
    told = [(row.kind, row.key_id) for row in await log_of(engine)]
    assert told[:2] == [("installed", None), ("deactivated", "keyFrom00001")]
    assert sorted(told[2:]) == [("sql", "keyFrom00001"), ("sql", "keyFrom00002")]


async def test_a_trigger_that_is_gone_is_told_and_made_again(
    keys: APIKeys, engine: AsyncEngine, by_hand: ByHand
) -> None:
    issued = await keys.create("a key")
    assert (await keys.verify(issued.secret)).valid
    for name in sorted(TRIGGERS[engine.dialect.name]):
        assert (await keys.schema_status()).triggers
        table = "_".join(name.split("_")[:2])
        await by_hand(
            f"DROP TRIGGER {name} ON {table}" if engine.dialect.name == "postgresql" else f"DROP TRIGGER {name}"
        )
        assert not (await keys.schema_status()).triggers, name
        await keys.create_schema()
    await by_hand("UPDATE gatepost_keys SET active = NOT active")
    await poll(keys)
    assert not (await keys.verify(issued.secret)).valid
    assert len(await sql_events(engine)) == 1


async def test_triggers_that_somebody_has_disabled_are_told_and_made_again(postgres_url: str) -> None:
    keys = APIKeys(postgres_url)
    await keys.create_schema()
    engine = create_async_engine(postgres_url)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE gatepost_keys DISABLE TRIGGER USER"))
    assert not (await keys.schema_status()).triggers
    await keys.create_schema()
    assert (await keys.schema_status()).triggers
    await engine.dispose()


async def test_a_key_whose_secrets_were_deleted_by_hand_is_unknown_to_the_verbs(keys: APIKeys, by_hand: ByHand) -> None:
    issued = await keys.create("a key")
    await by_hand("DELETE FROM gatepost_secrets")
    for verb in (keys.deactivate, keys.delete):
        assert (await verb([issued.key.id])).unknown == [issued.key.id]
    with pytest.raises(KeyNotFoundError):
        await keys.update(issued.key.id, description="x")


@pytest.mark.parametrize("table", ["gatepost_keys CASCADE", "gatepost_secrets"])
async def test_truncate_is_refused_where_it_would_go_unnoticed(postgres_url: str, table: str) -> None:
    keys = APIKeys(postgres_url)
    await keys.create_schema()
    engine = create_async_engine(postgres_url)
    with pytest.raises(DBAPIError, match="use DELETE"):
        async with engine.begin() as connection:
            await connection.execute(text(f"TRUNCATE {table}"))
    await engine.dispose()


async def test_a_schema_of_any_name_is_watched_from_any_search_path(postgres_url: str) -> None:
    engine = create_async_engine(postgres_url)
    async with engine.begin() as connection:
        await connection.execute(text('CREATE SCHEMA "Our Keys"'))
        await connection.execute(text("CREATE FUNCTION public.left(text, integer) RETURNS text RETURN 'nothing'"))
    inside = create_async_engine(postgres_url, connect_args={"server_settings": {"search_path": '"Our Keys"'}})
    keys = APIKeys(inside, poll_interval=60, max_staleness=600)
    await keys.create_schema()
    async with keys:
        assert (await keys.schema_status()).triggers
        issued = await keys.create("a key")
        for valid, path in ((False, "public, pg_catalog"), (True, "pg_catalog")):
            async with engine.begin() as connection:
                await connection.execute(text(f"SET LOCAL search_path = {path}"))
                await connection.execute(text('UPDATE "Our Keys".gatepost_keys SET active = NOT active'))
                assert await connection.scalar(text("SHOW search_path")) == path
            await poll(keys)
            await keys.serve()
            assert (await keys.verify(issued.secret)).valid is valid
        assert [row.kind for row in await log_of(inside)] == ["installed", "created", "sql", "sql"]
    await inside.dispose()
    async with engine.begin() as connection:
        await connection.execute(text('ALTER SCHEMA "Our Keys" RENAME TO theirs'))
        await connection.execute(text("UPDATE theirs.gatepost_keys SET active = NOT active"))
        assert await connection.scalar(text("SELECT seq FROM theirs.gatepost_counter")) == 4
    await engine.dispose()


async def test_a_secret_that_came_after_the_snapshot_of_an_edit_by_hand_is_told_too(mariadb_url: str) -> None:
    keys = APIKeys(mariadb_url)
    await keys.create_schema()
    engine = create_async_engine(mariadb_url)
    now = "'2024-01-01 00:00:00'"
    second = f"INSERT INTO gatepost_keys ({KEY}) VALUES ('second', NULL, 'x', '  ', (1 = 1), {now}, {now}, 0)"
    its_secret = f"INSERT INTO gatepost_secrets ({SECRET}) VALUES ('{'x' * 32}', 'second', 'hint', {now})"
    async with keys:
        issued = await keys.create("a key")
        async with engine.begin() as connection:
            await connection.execute(text(second))
        async with engine.begin() as connection:
            await connection.execute(text("SET sql_safe_updates = 1"))  # as `mariadb --safe-updates` does
            assert await connection.scalar(text("SELECT count(*) FROM gatepost_secrets")) == 1
            rotated = await keys.rotate(issued.key.id, grace=60)
            async with engine.begin() as another:
                await another.execute(text(its_secret))
            before = len(await sql_events(engine))
            for key_id in (issued.key.id, "second"):
                edit = text("UPDATE gatepost_keys SET active = NOT active WHERE id = :id")
                await connection.execute(edit, {"id": key_id})
        told = (await sql_events(engine))[before:]
        assert {row.digest for row in told} == {digest(issued.secret), digest(rotated.secret), b"x" * 32}
    await engine.dispose()


async def without_triggers(
    admin: AsyncEngine, url: str, limits: Sequence[str], mend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Run as a user whom the database lets make tables but, after `limits`, no triggers; then after `mend`."""
    keys = APIKeys(url, poll_interval=60, max_staleness=600)
    for statement in limits:
        async with admin.begin() as connection:
            await connection.execute(text(statement))
    with caplog.at_level(logging.WARNING, "gatepost"):
        await keys.create_schema()
    (warning,) = [record.getMessage() for record in caplog.records if record.name.startswith("gatepost")]
    assert "redis_ttl + memory_ttl" in warning
    assert "GRANT" in warning
    assert "gatepost db upgrade" in warning
    async with keys:
        assert not (await keys.schema_status()).triggers
        issued = await keys.create("a key")
        await keys.deactivate(issued.key.id)
        await keys.activate(issued.key.id)
        await keys.delete(issued.key.id)
    async with admin.begin() as connection:
        await connection.execute(text(mend))
    caplog.clear()
    await keys.create_schema()
    assert not [record for record in caplog.records if record.name.startswith("gatepost")]
    async with keys:
        assert (await keys.schema_status()).triggers
        await keys.create("a key")
    async with admin.begin() as connection:
        await connection.execute(text("UPDATE gatepost_keys SET active = NOT active"))
        user = await connection.scalar(text(WHO[admin.dialect.name]))
    told = [(row.actor, row.actor_kind, row.actor_id) for row in await sql_events(admin)]
    assert told == [(user, "database", user)], "who is logged in, not who made the triggers"


async def test_a_mariadb_that_refuses_triggers_is_used_without_and_says_what_that_means(
    mariadb_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    admin = create_async_engine(mariadb_url)
    url = make_url(mariadb_url)
    user = f"{url.database}_user"[-32:]
    rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES"
    try:
        await without_triggers(
            admin,
            url.set(username=user, password="only-here").render_as_string(hide_password=False),
            [
                f"CREATE USER '{user}'@'%' IDENTIFIED BY 'only-here'",
                f"GRANT {rights} ON {url.database}.* TO '{user}'@'%'",
            ],
            f"GRANT TRIGGER ON {url.database}.* TO '{user}'@'%'",
            caplog,
        )
    finally:
        async with admin.begin() as connection:
            await connection.execute(text(f"DROP USER IF EXISTS '{user}'@'%'"))
        await admin.dispose()


async def test_a_postgresql_that_refuses_functions_is_used_without_and_says_what_that_means(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    admin = create_async_engine(postgres_url)
    url = make_url(postgres_url)
    role = f"{url.database}_role"
    try:
        await without_triggers(
            admin,
            url.set(username=role, password="only-here").render_as_string(hide_password=False),
            [
                f"CREATE ROLE {role} LOGIN PASSWORD 'only-here'",
                f"GRANT CREATE ON SCHEMA public TO {role}",
                "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC",
            ],
            f"GRANT USAGE ON LANGUAGE plpgsql TO {role}",
            caplog,
        )
    finally:
        async with admin.begin() as connection:
            await connection.execute(text(f"DROP OWNED BY {role} CASCADE"))
            await connection.execute(text(f"DROP ROLE {role}"))
        await admin.dispose()
