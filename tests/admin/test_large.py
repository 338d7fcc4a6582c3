"""The list at 100,000 keys against the list at 20,000, over HTTP and each database, with each filter and in each order:
by what the databases count, not by the clock."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost import APIKeys
from gatepost.database.connecting.engine import changing
from gatepost.database.lists.listing import Listing
from tests.admin.api.site import ALL, Caller, site_of
from tests.admin.work import counted

if TYPE_CHECKING:
    from tests.servers.databases import Databases

MANY, FEWER = 100_000, 20_000
TIMES_AT_MOST = 2.0
"""What reads all keys, or a part of them, has to read five times as much."""

SOME = 1_333
"""Keys of either that have what some have: as many as are read one by one (docs/decisions/0007)."""

NUMBERS = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) SELECT i FROM n)",
    "postgresql": "(SELECT i FROM generate_series(0, {count} - 1) AS g(i))",
    "mysql": "(SELECT seq AS i FROM seq_0_to_{count} WHERE seq < {count})",
}
TEXTS = {
    "sqlite": {
        "id": "printf('k%011d', i)",
        "digest": "CAST(printf('%032d', i) AS BLOB)",
        "hint": "printf('gp_k000...%04d', i % 10000)",
        "join": "{} || {}",
    },
    "postgresql": {
        "id": "'k' || lpad(i::text, 11, '0')",
        "digest": "convert_to(lpad(i::text, 32, '0'), 'UTF8')",
        "hint": "'gp_k000...' || lpad((i % 10000)::text, 4, '0')",
        "join": "{} || {}",
    },
    "mysql": {
        "id": "CONCAT('k', LPAD(i, 11, '0'))",
        "digest": "CAST(LPAD(i, 32, '0') AS BINARY)",
        "hint": "CONCAT('gp_k000...', LPAD(i % 10000, 4, '0'))",
        "join": "CONCAT({}, {})",
    },
}
MOMENT = "'2024-01-01 00:00:00.000000'"
PASSED, TO_COME = "'2024-06-01 00:00:00.000000'", "'2060-01-01 00:00:00.000000'"
CENTURY = "3153600000"


async def fill(keys: APIKeys, count: int) -> None:
    """Keys that bear the library's mark, so that the triggers let them be, in a few statements. Terms as `db upgrade`
    writes them. Half of the keys have what is common, `SOME` what is neither, two or three what is rare."""
    dialect = keys._database.engine.dialect.name
    numbers, texts = NUMBERS[dialect].format(count=count), TEXTS[dialect]
    nonce = "(SELECT nonce FROM gatepost_counter)"
    is_rare = f"i % {max(count // 3, 1)} = 1"
    each = count // SOME
    number = f"CAST(i % {each} AS CHAR(2))" if dialect == "mysql" else f"CAST(i % {each} AS text)"
    word = texts["join"].format("'word'", number)
    some = f"i % {each} = 2"
    more = (
        f"(CASE WHEN {is_rare} THEN ' seldom' WHEN {some} THEN ' sometimes' WHEN i % 2 = 0 THEN ' often' ELSE '' END)"
    )
    described = texts["join"].format(word, more)
    common = "' FILE_UPLOAD OBJECTS_LIST '"
    if dialect == "postgresql":
        passed, to_come = (f"timestamptz {moment}" for moment in (PASSED, TO_COME))
    else:
        passed, to_come = PASSED, TO_COME
    expires = f"(CASE WHEN i % 5 = 3 THEN {passed} WHEN i % {each} = 4 THEN {to_come} END)"
    permissions = f"(CASE WHEN {is_rare} THEN ' DIR_MOVE ' WHEN {some} THEN ' FILE_MOVE '"
    permissions += f" WHEN i % 7777 = 5 THEN '  ' ELSE {common} END)"
    plan = f"(CASE WHEN {is_rare} THEN 'rare' WHEN {some} THEN 'some' WHEN i % 2 = 0 THEN 'common' END)"
    start, end = """'{"plan":"'""", """'","n": 1}'"""
    noted = texts["join"].format(start, texts["join"].format(plan, end))
    insert_keys = (
        "INSERT INTO gatepost_keys (id, project, description, permissions, active, created_at, updated_at,"
        f" expires_at, created_seq, changed_nonce, metadata) SELECT {texts['id']}, CASE WHEN i % 5 = 0 THEN 'acme' END,"
        f" {described}, {permissions}, NOT ({is_rare}), {MOMENT}, {MOMENT}, {expires}, i, {nonce}, {noted}"
        f" FROM {numbers} AS numbers"
    )
    insert_secrets = (
        "INSERT INTO gatepost_secrets (digest, key_id, hint, created_at, changed_nonce)"
        f" SELECT {texts['digest']}, {texts['id']}, {texts['hint']}, {MOMENT}, {nonce} FROM {numbers} AS numbers"
    )
    async with changing(keys._database.engine) as connection:
        for statement in (insert_keys, insert_secrets, "DELETE FROM gatepost_settings WHERE name = 'terms_seq'"):
            await connection.execute(text(statement))
        await connection.commit()
    await keys.create_schema()
    async with changing(keys._database.engine) as connection:
        await connection.execute(text(f"UPDATE gatepost_last_used SET last_at = {to_utc(dialect)} WHERE {USED}"))
        await connection.commit()
    assert (await keys._database.read_position()).seq == 0, "no change by hand was seen"


USED = "key_id LIKE '%1' OR key_id LIKE '%5' OR key_id LIKE '%7'"


def to_utc(dialect: str) -> str:
    """The last use of those that were used: a moment a key."""
    last = "CAST(SUBSTR(key_id, 7) AS {})"
    return {
        "sqlite": f"strftime('%Y-%m-%d %H:%M:%S.000000', '2024-02-01', {last.format('INTEGER')} || ' seconds')",
        "postgresql": f"timestamptz '2024-02-01 00:00:00+00' + {last.format('integer')} * interval '1 second'",
        "mysql": f"TIMESTAMP '2024-02-01 00:00:00' + INTERVAL {last.format('UNSIGNED')} SECOND",
    }[dialect]


LISTS: Mapping[str, Mapping[str, str]] = {
    "no filter": {},
    "oldest first": {"sort": "created"},
    "last updated": {"sort": "-updated"},
    "not updated for longest": {"sort": "updated"},
    "by description": {"sort": "description"},
    "by description, backwards": {"sort": "-description"},
    "deactivated": {"active": "false"},
    "of a project": {"project": "acme"},
    "of a project, deactivated, by description": {"project": "acme", "active": "false", "sort": "description"},
    "of no project there is": {"project": "nowhere"},
    "of no owner there is": {"owner": "nobody"},
    "for an environment that none is for": {"environment": "test"},
    "a common permission": {"permission": "FILE_UPLOAD"},
    "a permission that some have": {"permission": "FILE_MOVE"},
    "a rare permission": {"permission": "DIR_MOVE"},
    "a permission that nobody has": {"permission": "LABEL_MANAGE"},
    "a common word": {"search": "often"},
    "a word that some have": {"search": "sometimes", "sort": "-updated"},
    "a rare word": {"search": "seldom"},
    "a word that nobody has": {"search": "never"},
    "two words": {"search": "word7 often"},
    "a rare word among common ones": {"search": "word1 seldom", "permission": "DIR_MOVE"},
    "one key by its id": {"search": "k00000000007"},
    "metadata that many have": {"metadata": '{"plan": "common"}'},
    "metadata that some have": {"metadata": '{"plan": "some", "n": 1}', "sort": "-updated"},
    "metadata that a handful has": {"metadata": '{"plan": "rare", "n": 1}'},
    "metadata that none has": {"metadata": '{"plan": "none"}', "sort": "expires"},
    "that work": {"state": "active"},
    "active": {"active": "true"},
    "that work, of a project": {"state": "active", "project": "acme", "sort": "-updated"},
    "expired": {"state": "expired"},
    "expired, last to expire": {"state": "expired", "sort": "-expires"},
    "that some are: expiring": {"state": "expiring", "expires_within": CENTURY},
    "expiring, first to expire": {"state": "expiring", "expires_within": CENTURY, "sort": "expires"},
    "that none is: expiring": {"state": "expiring"},
    "first to expire": {"sort": "expires"},
    "last to expire": {"sort": "-expires"},
    "of a project, first to expire": {"sort": "expires", "project": "acme"},
    "that end before a moment": {"expires_before": "2023-01-01T00:00:00Z"},
    "that never end": {"never_expires": "true", "sort": "description"},
    "expired, with a common word": {"state": "expired", "search": "often"},
    "expiring, with a common word": {"state": "expiring", "search": "often", "expires_within": CENTURY},
    "last used first": {"sort": "-last_used"},
    "not used for longest": {"sort": "last_used"},
    "last used, of a project": {"sort": "-last_used", "project": "acme"},
    "last used, deactivated": {"sort": "-last_used", "active": "false"},
    "last used, a permission that some have": {"sort": "-last_used", "permission": "FILE_MOVE"},
    "not used for long": {"unused_for": "86400"},
    "not used for long, not used for longest": {"unused_for": "86400", "sort": "last_used"},
    "not used for very long": {"unused_for": CENTURY, "sort": "description"},
    "never used": {"never_used": "true", "sort": "-updated"},
    "company-wide": {"company_wide": "true", "sort": "description"},
    "company-wide, with a common word": {"company_wide": "true", "search": "often"},
    "without permissions": {"no_permissions": "true"},
    "a secret by its last four characters": {"search": "0007"},
    "a secret as lists show it": {"search": "gp_k000...0007"},
    "the start of all secrets": {"search": "gp_k000"},
}


async def gather_statistics(urls: Sequence[str]) -> None:
    """What PostgreSQL's autovacuum does within a minute or so: some lists lean on it (docs/decisions/0007)."""
    for url in urls:
        async with APIKeys(url) as keys, changing(keys._database.engine) as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(
                    text("ANALYZE gatepost_keys, gatepost_secrets, gatepost_terms, gatepost_last_used")
                )
                await connection.commit()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sequence[str]]:
    """Two empty databases of each kind."""
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path}/{count}.db" for count in (FEWER, MANY)]
        return
    databases: Databases = request.getfixturevalue(f"{request.param.replace('postgresql', 'postgres')}_databases")
    made = [databases.create() for _ in (FEWER, MANY)]
    yield made
    for url in made:
        databases.drop(url)


@pytest.fixture
async def callers(urls: Sequence[str]) -> AsyncIterator[Sequence[Caller]]:
    """Somebody who calls a server with fewer keys, and one with many."""
    async with AsyncExitStack() as stack:
        found = []
        for url, count in zip(urls, (FEWER, MANY), strict=True):
            keys = APIKeys(url, poll_interval=60, max_staleness=600, read_timeout=60)
            await keys.create_schema()
            await stack.enter_async_context(keys)
            await fill(keys, count)
            site = await stack.enter_async_context(site_of(keys))
            found.append(await site.caller(*ALL))
        yield found


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the database did, one number a page."""
    counts: list[int] = []
    read = Listing.read

    async def counting(self: Listing, connection: AsyncConnection, *, with_terms: bool) -> Any:
        async with counted(connection) as work:
            page = await read(self, connection, with_terms=with_terms)
            counts.append(await work())
            return page

    monkeypatch.setattr(Listing, "read", counting)
    return counts


@pytest.mark.timeout(1800)
async def test_every_list_costs_about_as_much_with_100_000_keys_as_with_20_000(
    callers: Sequence[Caller], urls: Sequence[str], worked: list[int]
) -> None:
    await gather_statistics(urls)
    dear = {}
    plain = 0
    # PostgreSQL's planner reads a range of an index where it reckons that this is quicker than walking in order
    may_read = MANY if urls[0].startswith("postgresql") else 0
    for name, query in LISTS.items():
        costs = []
        for caller in callers:
            worked.clear()
            page = await caller.get("/keys", **query)
            if page["next"] is not None:  # a page further on costs no more
                await caller.get("/keys", **query, after=page["next"])
            costs.append(max(worked, default=0))
        fewer, many = costs
        plain = plain or fewer
        print(f"{name}: {fewer}, {many}")
        if many > max(TIMES_AT_MOST * max(fewer, plain), may_read):
            dear[name] = (fewer, many)
    assert plain > 0
    assert not dear
