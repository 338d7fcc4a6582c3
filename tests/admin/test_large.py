"""The list at 100,000 keys against the list at 100, over HTTP and each database, with each filter and in each order."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from gatepost import APIKeys
from gatepost.database.connecting.engine import changing
from tests.admin.api.site import ALL, Caller, site_of

if TYPE_CHECKING:
    from tests.servers.databases import Databases

MANY, FEW = 100_000, 100
TIMES_AT_MOST = 3.0
ROUNDS = 15

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
    writes them. Half of the keys have what is common, one in 75 what is neither, two or three what is rare."""
    dialect = keys._database.engine.dialect.name
    numbers, texts = NUMBERS[dialect].format(count=count), TEXTS[dialect]
    nonce = "(SELECT nonce FROM gatepost_counter)"
    is_rare = f"i % {max(count // 3, 1)} = 1"
    number = "CAST(i % 89 AS CHAR(2))" if dialect == "mysql" else "CAST(i % 89 AS text)"
    word = texts["join"].format("'word'", number)
    some = "i % 75 = 2"
    more = (
        f"(CASE WHEN {is_rare} THEN ' seldom' WHEN {some} THEN ' sometimes' WHEN i % 2 = 0 THEN ' often' ELSE '' END)"
    )
    described = texts["join"].format(word, more)
    common = "' FILE_UPLOAD OBJECTS_LIST '"
    if dialect == "postgresql":
        passed, to_come = (f"timestamptz {moment}" for moment in (PASSED, TO_COME))
    else:
        passed, to_come = PASSED, TO_COME
    expires = f"(CASE WHEN i % 5 = 3 THEN {passed} WHEN i % 75 = 4 THEN {to_come} END)"
    permissions = f"(CASE WHEN {is_rare} THEN ' DIR_MOVE ' WHEN {some} THEN ' FILE_MOVE '"
    permissions += f" WHEN i % 7777 = 5 THEN '  ' ELSE {common} END)"
    insert_keys = (
        "INSERT INTO gatepost_keys (id, project, description, permissions, active, created_at, updated_at,"
        f" expires_at, created_seq, changed_nonce) SELECT {texts['id']}, CASE WHEN i % 5 = 0 THEN 'acme' END,"
        f" {described}, {permissions}, NOT ({is_rare}), {MOMENT}, {MOMENT}, {expires}, i, {nonce}"
        f" FROM {numbers} AS numbers"
    )
    insert_secrets = (
        "INSERT INTO gatepost_secrets (digest, key_id, hint, created_at, changed_nonce)"
        f" SELECT {texts['digest']}, {texts['id']}, {texts['hint']}, {MOMENT}, {nonce} FROM {numbers} AS numbers"
    )
    async with changing(keys._database.engine).connect() as connection:
        for statement in (insert_keys, insert_secrets, "DELETE FROM gatepost_settings WHERE name = 'terms_seq'"):
            await connection.execute(text(statement))
        await connection.commit()
    await keys.create_schema()
    assert (await keys._database.read_position()).seq == 0, "no change by hand was seen"


LISTS: Mapping[str, Mapping[str, str]] = {
    "no filter": {},
    "oldest first": {"sort": "created"},
    "last updated": {"sort": "-updated"},
    "not updated for longest": {"sort": "updated"},
    "by description": {"sort": "description"},
    "by description, backwards": {"sort": "-description"},
    "active": {"active": "true"},
    "deactivated": {"active": "false"},
    "of a project": {"project": "acme"},
    "of a project, deactivated, by description": {"project": "acme", "active": "false", "sort": "description"},
    "of no project there is": {"project": "nowhere"},
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
    "that work": {"state": "active"},
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
    "company-wide": {"company_wide": "true", "sort": "description"},
    "company-wide, with a common word": {"company_wide": "true", "search": "often"},
    "without permissions": {"no_permissions": "true"},
    "a secret by its last four characters": {"search": "0007"},
    "a secret as lists show it": {"search": "gp_k000...0007"},
    "the start of all secrets": {"search": "gp_k000"},
}


STATISTICS_FROM = "that work"
"""From this list on PostgreSQL's planner needs to know what the tables hold (docs/decisions/0007)."""


async def gather_statistics(urls: Sequence[str]) -> None:
    """What PostgreSQL's autovacuum does within a minute or so: it must not happen somewhere in the middle."""
    for url in urls:
        async with APIKeys(url) as keys, changing(keys._database.engine).connect() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text("ANALYZE gatepost_keys, gatepost_secrets, gatepost_terms"))
                await connection.commit()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sequence[str]]:
    """Two empty databases of each kind."""
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path}/{count}.db" for count in (FEW, MANY)]
        return
    databases: Databases = request.getfixturevalue(f"{request.param.replace('postgresql', 'postgres')}_databases")
    made = [databases.create() for _ in (FEW, MANY)]
    yield made
    for url in made:
        databases.drop(url)


@pytest.fixture
async def callers(urls: Sequence[str]) -> AsyncIterator[Sequence[Caller]]:
    """Somebody who calls a server with few keys, and one with many."""
    async with AsyncExitStack() as stack:
        found = []
        for url, count in zip(urls, (FEW, MANY), strict=True):
            keys = APIKeys(url, poll_interval=60, max_staleness=600, read_timeout=60)
            await keys.create_schema()
            await stack.enter_async_context(keys)
            await fill(keys, count)
            site = await stack.enter_async_context(site_of(keys))
            found.append(await site.caller(*ALL))
        yield found


async def timed(callers: Sequence[Caller], query: Mapping[str, str]) -> list[float]:
    """What a page takes, in seconds, from each of the callers in turn: the least, which others at work on this machine
    change least."""
    took: list[list[float]] = [[] for _ in callers]
    for _ in range(ROUNDS):
        for caller, times in zip(callers, took, strict=True):
            after: dict[str, str] = {}
            for _ in range(2):  # a page further on takes no longer
                begun = time.perf_counter()
                page = await caller.get("/keys", **query, **after)
                times.append(time.perf_counter() - begun)
                if page["next"] is None:
                    break
                after = {"after": page["next"]}
    return [min(times) for times in took]


@pytest.mark.timeout(1800)
async def test_every_list_takes_about_as_long_with_100_000_keys_as_with_100(
    callers: Sequence[Caller], urls: Sequence[str]
) -> None:
    slow = {}
    for name, query in LISTS.items():
        if name == STATISTICS_FROM:
            await gather_statistics(urls)
        for _ in range(3):  # somebody else may be at work on this machine
            few, many = await timed(callers, query)
            if many <= TIMES_AT_MOST * few:
                break
        else:
            slow[name] = (few, many)
        print(f"{name}: {few * 1e3:.1f} ms, {many * 1e3:.1f} ms, x{many / few:.2f}")
    assert not slow
