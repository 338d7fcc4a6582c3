"""Triggers that notice keys changed by hand in SQL: they count the change and write its events, as the library does.

They are code rather than data: `gatepost db upgrade` makes those of this version anew whenever it has migrated.

Each change of the library writes its own nonce into `changed_nonce` of the rows that it makes or changes, and
-1 - nonce before it deletes one. A row that does not bear the nonce of the change that holds the counter was changed by
hand.
"""

import logging
from collections.abc import Mapping, Set
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

logger = logging.getLogger("gatepost.database.triggers")

COLUMNS = "seq, n, nonce, digest, key_id, project, owner, environment, kind, actor_kind, actor, actor_id, at"

OF_KEY = ", ".join(
    f"(SELECT {column} FROM gatepost_keys WHERE id = changed.key_id)"  # noqa: S608 - constants
    for column in ("project", "owner", "environment")
)
"""Of the key that is changed; each `NULL` where it is gone already."""

OWN = "(SELECT nonce FROM gatepost_counter)"
"""In triggers for each row (SQLite, MariaDB, MySQL): the nonce of the library's change, if this is one."""

MADE_BY_HAND = f"NEW.changed_nonce <> {OWN}"
DELETED_BY_HAND = f"OLD.changed_nonce <> -1 - {OWN}"
CHANGED_BY_HAND = f"(NEW.changed_nonce = OLD.changed_nonce OR {OWN} NOT IN (NEW.changed_nonce, -1 - NEW.changed_nonce))"


def has_secrets(keys: str) -> str:
    """Whether a change of these keys has any event: without, it must not be counted."""
    return f"EXISTS (SELECT 1 FROM gatepost_secrets WHERE key_id IN ({keys}))"  # noqa: S608 - constants


def of_keys(keys: str) -> str:
    """The digests of these keys' secrets."""
    return f"SELECT digest, key_id FROM gatepost_secrets WHERE key_id IN ({keys})"  # noqa: S608 - constants


OF_NEW = "SELECT NEW.digest AS digest, NEW.key_id AS key_id"
OF_OLD = "SELECT OLD.digest AS digest, OLD.key_id AS key_id"
ONE_ROW = "gatepost_counter"
OF_BOTH = f"{OF_NEW} UNION ALL SELECT OLD.digest, OLD.key_id FROM {ONE_ROW} WHERE OLD.digest <> NEW.digest"  # noqa: S608

SQLITE = f"""
CREATE TRIGGER {{name}} {{moment}} FOR EACH ROW WHEN {{condition}}
BEGIN
    UPDATE gatepost_counter SET seq = seq + 1, nonce = random() & 9223372036854775807;
    INSERT INTO gatepost_events ({COLUMNS})
    SELECT seq, row_number() OVER (ORDER BY changed.digest) - 1, nonce, changed.digest, changed.key_id, {OF_KEY},
        'sql', 'database', NULL, NULL, strftime('%Y-%m-%d %H:%M:%f000', 'now')
    FROM gatepost_counter, ({{secrets}}) AS changed;
END
"""  # noqa: S608 - constants

# USER() is who is logged in; CURRENT_USER() would be who made the trigger. MariaDB has no RANDOM_BYTES before 10.10; a
# nonce need not be secret, but new. WHERE is for sessions with sql_safe_updates.
MYSQL = f"""
CREATE TRIGGER {{name}} {{moment}} FOR EACH ROW
BEGIN
    IF {{condition}} THEN
        UPDATE gatepost_counter SET seq = seq + 1,
            nonce = CAST(CONV(LEFT(SHA2(CONCAT(UUID(), RAND()), 256), 16), 16, 10) AS UNSIGNED) & 9223372036854775807
            WHERE id = 1;
        INSERT INTO gatepost_events ({COLUMNS})
        SELECT seq, row_number() OVER (ORDER BY changed.digest) - 1, nonce, changed.digest, changed.key_id, {OF_KEY},
            'sql', 'database', LEFT(USER(), 200), LEFT(USER(), 200), UTC_TIMESTAMP(6)
        FROM gatepost_counter, ({{secrets}}) AS changed;
    END IF;
END
"""  # noqa: S608 - constants

# BEFORE where the secrets may go with the key: REPLACE in SQLite, and any cascade in MariaDB and MySQL, fire no trigger
# for the rows that they remove.
FOR_EACH_ROW = {
    "gatepost_keys_insert": ("BEFORE INSERT ON gatepost_keys", has_secrets("NEW.id"), of_keys("NEW.id")),
    "gatepost_keys_update": (
        "AFTER UPDATE ON gatepost_keys",
        f"{CHANGED_BY_HAND} AND {has_secrets('OLD.id, NEW.id')}",
        of_keys("OLD.id, NEW.id"),
    ),
    "gatepost_keys_delete": ("BEFORE DELETE ON gatepost_keys", has_secrets("OLD.id"), of_keys("OLD.id")),
    "gatepost_secrets_insert": ("AFTER INSERT ON gatepost_secrets", MADE_BY_HAND, OF_NEW),
    "gatepost_secrets_update": ("AFTER UPDATE ON gatepost_secrets", CHANGED_BY_HAND, OF_BOTH),
    "gatepost_secrets_delete": ("AFTER DELETE ON gatepost_secrets", DELETED_BY_HAND, OF_OLD),
}

# PostgreSQL has triggers for each statement. Their functions find the tables in the schema of the table that fired,
# whatever it is called now and whatever the session's search_path is; the SET clause makes PostgreSQL put that back
# when the function ends.
FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own bigint;
    place record;
BEGIN
    PERFORM set_config('search_path', quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true);
    {body}
    RETURN NULL;
END
$$
"""

# Taken before any key's row is: the order of the library, so that a statement by hand cannot deadlock with it.
LOCK_COUNTER = "PERFORM FROM gatepost_counter FOR UPDATE;"

# A UUID's first 12 digits and its last 4 are random: 64 bits.
WRITE_EVENTS = f"""
    SELECT nonce INTO own FROM gatepost_counter;
    IF {{condition}} THEN
        UPDATE gatepost_counter SET seq = seq + 1,
            nonce = ('x' || left(replace(gen_random_uuid()::text, '-', ''), 12) || right(gen_random_uuid()::text, 4)
                )::bit(64)::bigint & 9223372036854775807
            RETURNING seq, nonce INTO place;
        INSERT INTO gatepost_events ({COLUMNS})
        SELECT place.seq, row_number() OVER (ORDER BY changed.digest) - 1, place.nonce, changed.digest,
            changed.key_id, {OF_KEY}, 'sql', 'database', session_user, session_user, clock_timestamp()
        FROM ({{secrets}}) AS changed;
    END IF;
"""  # noqa: S608 - constants

REFUSE_TRUNCATE = """
    RAISE EXCEPTION USING
        MESSAGE = 'TRUNCATE ' || TG_TABLE_NAME || ' would go unnoticed by what remembers keys: use DELETE';
"""

OF_CHANGED_KEYS = """SELECT digest, key_id FROM gatepost_secrets
            WHERE key_id IN (SELECT id FROM new_rows UNION ALL SELECT id FROM old_rows)"""
OF_CHANGED_SECRETS = """SELECT digest, key_id FROM new_rows UNION ALL SELECT digest, key_id FROM old_rows
            WHERE NOT EXISTS (SELECT FROM new_rows WHERE new_rows.digest = old_rows.digest)"""
# The library changes a row at most once in a change, so none that it changes bears its nonce before.
ANY_CHANGED_BY_HAND = """(EXISTS (SELECT FROM new_rows WHERE changed_nonce NOT IN (own, -1 - own))
        OR EXISTS (SELECT FROM old_rows WHERE changed_nonce IN (own, -1 - own)))"""

FUNCTIONS = {
    "gatepost_lock_counter": LOCK_COUNTER,
    "gatepost_refuse_truncate": REFUSE_TRUNCATE,
    "gatepost_keys_updated": WRITE_EVENTS.format(
        condition=f"{ANY_CHANGED_BY_HAND} AND EXISTS ({OF_CHANGED_KEYS})", secrets=OF_CHANGED_KEYS
    ),
    "gatepost_secrets_inserted": WRITE_EVENTS.format(
        condition="EXISTS (SELECT FROM new_rows WHERE changed_nonce <> own)",
        secrets="SELECT digest, key_id FROM new_rows",
    ),
    "gatepost_secrets_updated": WRITE_EVENTS.format(condition=ANY_CHANGED_BY_HAND, secrets=OF_CHANGED_SECRETS),
    "gatepost_secrets_deleted": WRITE_EVENTS.format(
        condition="EXISTS (SELECT FROM old_rows WHERE changed_nonce <> -1 - own)",
        secrets="SELECT digest, key_id FROM old_rows",
    ),
}

OLD, NEW = "OLD TABLE AS old_rows", "NEW TABLE AS new_rows"
# A key has no secrets when it is made; deleting one, or TRUNCATE, reaches them and fires their triggers.
IN_POSTGRESQL = {
    "gatepost_keys_lock": "BEFORE UPDATE OR DELETE ON gatepost_keys EXECUTE FUNCTION gatepost_lock_counter()",
    "gatepost_secrets_lock": "BEFORE UPDATE OR DELETE ON gatepost_secrets EXECUTE FUNCTION gatepost_lock_counter()",
    "gatepost_secrets_truncate": "BEFORE TRUNCATE ON gatepost_secrets EXECUTE FUNCTION gatepost_refuse_truncate()",
    "gatepost_keys_update": (
        f"AFTER UPDATE ON gatepost_keys REFERENCING {OLD} {NEW} EXECUTE FUNCTION gatepost_keys_updated()"
    ),
    "gatepost_secrets_insert": (
        f"AFTER INSERT ON gatepost_secrets REFERENCING {NEW} EXECUTE FUNCTION gatepost_secrets_inserted()"
    ),
    "gatepost_secrets_update": (
        f"AFTER UPDATE ON gatepost_secrets REFERENCING {OLD} {NEW} EXECUTE FUNCTION gatepost_secrets_updated()"
    ),
    "gatepost_secrets_delete": (
        f"AFTER DELETE ON gatepost_secrets REFERENCING {OLD} EXECUTE FUNCTION gatepost_secrets_deleted()"
    ),
}

REFUSALS: Mapping[Any, str] = {
    "42501": "let this role own the tables and make functions (GRANT USAGE, CREATE ON SCHEMA)",
    "42704": "CREATE EXTENSION plpgsql",
    1044: "GRANT TRIGGER on the tables to this user",
    1142: "GRANT TRIGGER on the tables to this user",
    1227: "GRANT TRIGGER on the tables to this user",
    1419: "SET GLOBAL log_bin_trust_function_creators = 1, since binary logging is on",
}
"""What mends it where making a trigger is refused: SQLSTATEs of PostgreSQL, error numbers of MariaDB and MySQL."""


def install(connection: Connection, present: Set[str] = frozenset()) -> None:
    """Make the triggers but those `present`. Where that is refused, say in the log what it means and what mends it."""
    try:
        if connection.dialect.name == "postgresql":
            with connection.begin_nested():  # a refusal must not spoil the transaction
                _make(connection, statements("postgresql", present))
        else:
            _make(connection, statements(connection.dialect.name, present))
    except DBAPIError as failure:
        refused: Any = failure.orig
        codes = (getattr(refused, "sqlstate", None), *refused.args[:1])
        remedy = next((REFUSALS[code] for code in codes if code in REFUSALS), None)
        if remedy is None:
            raise
        logger.warning(
            "The triggers that notice keys changed by hand in SQL were not made: %s. Unless another user has made "
            "them, such a change is seen only when what is remembered lapses (redis_ttl + memory_ttl). To mend it: %s; "
            "then run gatepost db upgrade again",
            refused,
            remedy,
        )


def statements(dialect: str, present: Set[str] = frozenset()) -> list[str]:
    """What makes the triggers of a database, in place of those of an earlier version, but not those `present`."""
    if dialect == "postgresql":
        functions = [FUNCTION.format(name=name, body=body) for name, body in FUNCTIONS.items()]
        missing = {name: what for name, what in IN_POSTGRESQL.items() if name not in present}
        disabled = [f"DROP TRIGGER IF EXISTS {name} ON {'_'.join(name.split('_')[:2])}" for name in missing]
        return functions + disabled + [f"CREATE TRIGGER {name} {what}" for name, what in missing.items()]
    template = SQLITE if dialect == "sqlite" else MYSQL
    dropped = [f"DROP TRIGGER IF EXISTS {name}" for name in FOR_EACH_ROW if name not in present]
    return dropped + [
        template.format(name=name, moment=moment, condition=condition, secrets=secrets)
        for name, (moment, condition, secrets) in FOR_EACH_ROW.items()
        if name not in present
    ]


def _make(connection: Connection, wanted: list[str]) -> None:
    for statement in wanted:
        connection.exec_driver_sql(statement)
