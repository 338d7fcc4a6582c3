"""The log at 100,000 changes against the log at 100, over each database, with each filter: by what the databases
count, not by the clock."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from gatepost import APIKeys
from gatepost.database.connecting.engine import changing
from gatepost.database.log import LogPage
from tests.admin.test_large import MANY, NUMBERS, TEXTS
from tests.admin.work import counted

if TYPE_CHECKING:
    from tests.servers.databases import Databases

FEW = 100
TIMES_AT_MOST = 3.0
FIRST_SEQ = 1_000_000
LIMIT = 11
START = datetime(2024, 1, 1, tzinfo=UTC)
MOMENTS = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', '2024-01-01', '+' || i || ' minutes')",
    "postgresql": "timestamptz '2024-01-01 00:00:00+00' + i * interval '1 minute'",
    "mysql": "DATE_ADD('2024-01-01 00:00:00', INTERVAL i MINUTE)",
}


async def fill(keys: APIKeys, count: int) -> None:
    """Changes of as many keys, a minute apart. Half of them are by one key, two or three are what is rare."""
    dialect = keys._database.engine.dialect.name
    is_rare = f"i % {max(count // 3, 1)} = 1"
    statement = (
        "INSERT INTO gatepost_events (seq, n, nonce, key_id, project, kind, actor, actor_kind, actor_id, at)"
        f" SELECT {FIRST_SEQ} + i, 0, 1, {TEXTS[dialect]['id']}, CASE WHEN i % 5 = 0 THEN 'acme' END,"
        f" CASE WHEN {is_rare} THEN 'deleted' ELSE 'created' END, 'somebody',"
        f" CASE WHEN {is_rare} THEN 'shell' WHEN i % 2 = 0 THEN 'key' ELSE 'person' END,"
        f" CASE WHEN {is_rare} THEN 'root' WHEN i % 2 = 0 THEN 'manager00000' ELSE '17' END,"
        f" {MOMENTS[dialect]} FROM {NUMBERS[dialect].format(count=count)} AS numbers"
    )
    async with changing(keys._database.engine) as connection:
        await connection.execute(text(statement))
        if dialect != "sqlite":  # which they do by themselves, some time after so many rows
            await connection.execute(
                text("ANALYZE TABLE gatepost_events" if dialect == "mysql" else "ANALYZE gatepost_events")
            )
        await connection.commit()


def lists(count: int) -> Mapping[str, Mapping[str, Any]]:
    """What is asked for, the spans of time in the middle of the log."""
    middle = START + timedelta(minutes=count // 2)
    soon = middle + timedelta(minutes=20)
    return {
        "no filter": {},
        "of a key": {"key_id": "k00000000007"},
        "of a project": {"project": "acme"},
        "of no project there is": {"project": "nowhere"},
        "a common kind": {"kind": "created"},
        "a rare kind": {"kind": "deleted"},
        "a kind that there is not": {"kind": "revealed"},
        "by keys": {"by_kind": "key"},
        "by the shell": {"by_kind": "shell"},
        "by nobody of that kind": {"by_kind": "database"},
        "by a key that did much": {"by_kind": "key", "by_id": "manager00000"},
        "by whom little was done": {"by_id": "root"},
        "by a stranger": {"by_kind": "person", "by_id": "18"},
        "by a key that did nothing": {"by_kind": "key", "by_id": "nobody000000"},
        "from a moment on": {"since": middle},
        "before a moment": {"until": middle},
        "in a short time": {"since": middle, "until": soon},
        "before there was anything": {"until": START},
        "of a project, in a short time": {"project": "acme", "since": middle, "until": soon},
        "what a key deleted, in a short time": {
            "by_id": "manager00000",
            "kind": "deleted",
            "since": middle,
            "until": soon,
        },
        "what a key made": {"by_kind": "key", "by_id": "manager00000", "kind": "created"},
        "what the shell did in a project": {"by_kind": "shell", "by_id": "root", "project": "acme"},
    }


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
async def both(urls: Sequence[str]) -> AsyncIterator[Sequence[APIKeys]]:
    """Keys over a short log, and over a long one."""
    async with AsyncExitStack() as stack:
        found = []
        for url, count in zip(urls, (FEW, MANY), strict=True):
            keys = APIKeys(url, poll_interval=60, max_staleness=600, read_timeout=60)
            await keys.create_schema()
            await stack.enter_async_context(keys)
            await fill(keys, count)
            found.append(keys)
        yield found


async def work(keys: APIKeys, name: str, count: int) -> int:
    """What the database does for a page and the one after it: rows read, of SQLite hundreds of instructions."""
    engine = keys._database.engine
    done = 0
    place = None
    for _ in range(2):
        async with engine.connect() as connection, counted(connection) as worked:
            found = await LogPage(**lists(count)[name], place=place, limit=LIMIT).read(connection)
            done += await worked()
        if len(found) < LIMIT:
            break
        place = (found[-1].seq, found[-1].n)
    return done


@pytest.mark.timeout(300)
async def test_every_filter_of_the_log_costs_about_as_much_with_100_000_changes_as_with_100(
    both: Sequence[APIKeys],
) -> None:
    dear = {}
    for name in lists(FEW):
        few, many = [await work(keys, name, count) for keys, count in zip(both, (FEW, MANY), strict=True)]
        print(f"{name}: {few}, {many}")
        if many > TIMES_AT_MOST * max(few, FEW):
            dear[name] = (few, many)
    assert not dear
