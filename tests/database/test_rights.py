"""The rights in `docs/connecting.md` suffice, and each of them is needed."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import pytest
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gatepost import APIKeys, Outcome, Quota, UnavailableError
from gatepost.limits import Bucket
from tests.readme import blocks

BLOCKS = dict(zip(("postgresql", "mysql"), blocks("docs/connecting.md", "sql"), strict=True))
WORD = "word"
ROLES = ("owner", "worker", "manager")
QUICK: dict[str, Any] = {"poll_interval": 0.05, "max_staleness": 60.0, "read_timeout": 30.0}
DENIED = re.compile(r"permission denied|must be owner|command denied|Access denied", re.IGNORECASE)


@dataclass(frozen=True)
class Right:
    """One right on one thing. `statement`: what it is granted by, with `{}` where GRANT or REVOKE stands."""

    role: str
    name: str
    thing: str

    def sql(self, verb: str, to: Callable[[str], str]) -> str:
        """To GRANT it, or to REVOKE it."""
        return f"{verb} {self.name} ON {self.thing} {'TO' if verb == 'GRANT' else 'FROM'} {to(self.role)}"


def rights_of(block: str) -> Iterator[Right]:
    """The single rights that its statements grant on things."""
    for names, things, role in re.findall(r"^GRANT ([A-Z, ]+) ON (.+) TO keys_(\w+);$", block, re.MULTILINE):
        for name in names.split(", "):
            for thing in things.split(", "):
                yield Right(role, name, thing)


RIGHTS = {dialect: list(rights_of(block)) for dialect, block in BLOCKS.items()}


class Users:
    """The page's three users on one database, with names of their own. `url`: of the database's superuser."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._place = " " if self._url.get_backend_name() == "postgresql" else f" {self._url.database}."
        self._prefix = f"keys_{token_hex(4)}_"
        self.dialect = self._url.get_backend_name()
        self._engine: AsyncEngine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def name(self, role: str) -> str:
        """The user's."""
        return f"{self._prefix}{role}"

    def url(self, role: str) -> str:
        """The database's, for that user."""
        return self._url.set(username=self.name(role), password=WORD).render_as_string(hide_password=False)

    async def execute(self, *statements: str) -> None:
        """As the superuser."""
        async with self._engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement.replace(" app.", self._place)))

    async def make(self) -> None:
        """Without any right."""
        how = f"PASSWORD '{WORD}' LOGIN" if self.dialect == "postgresql" else f"IDENTIFIED BY '{WORD}'"
        kind = "ROLE" if self.dialect == "postgresql" else "USER"
        await self.execute(*[f"CREATE {kind} {self.name(role)} {how}" for role in ROLES])

    async def grant(self, role: str) -> None:
        """All that the page gives a role."""
        statements = re.findall(rf"^GRANT .* TO keys_{role};$", BLOCKS[self.dialect], re.MULTILINE)
        assert statements
        await self.execute(*[re.sub(r"keys_(\w+)", lambda found: self.name(found[1]), each) for each in statements])

    @asynccontextmanager
    async def without(self, right: Right) -> AsyncIterator[None]:
        """Take one right away meanwhile."""
        await self.execute(right.sql("REVOKE", self.name))
        yield
        await self.execute(right.sql("GRANT", self.name))

    async def empty(self) -> None:
        """Take all tables away: what was made by half, too."""
        if self.dialect == "mysql":
            await self.execute(f"DROP DATABASE {self._url.database}", f"CREATE DATABASE {self._url.database}")

    async def drop(self) -> None:
        """And all that they own."""
        for role in ROLES:
            if self.dialect == "postgresql":
                await self.execute(f"DROP OWNED BY {self.name(role)} CASCADE", f"DROP ROLE {self.name(role)}")
            else:
                await self.execute(f"DROP USER {self.name(role)}")
        await self._engine.dispose()


@pytest.fixture(params=["postgres_url", "mariadb_url"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database's, as its superuser."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def users(url: str) -> AsyncIterator[Users]:
    """The three, on an empty database; the owner has its rights."""
    users = Users(url)
    await users.make()
    await users.grant("owner")
    yield users
    await users.drop()


async def spend(keys: APIKeys, key_id: str) -> None:
    """Have a request taken from a quota."""
    taken = await keys.limiter.take([(Bucket(f"key/{key_id}/plan/0", Quota(10, per="month")), 1)])
    assert taken.let_in


async def use(keys: APIKeys, key_id: str) -> None:
    """Have usage written, now and of long ago, in two batches."""
    assert keys.uses is not None
    for days in (0, 300):
        keys.uses.count(Outcome.VALID, key_id, bytes(32), keys.uses.clock() - days * 86400, "", None)
        await keys.flush_usage()


async def serve(users: Users, **options: Any) -> None:
    """All that a worker does: join, decide, hear of others' change, acknowledge it, leave."""
    async with APIKeys(users.url("owner"), **QUICK) as others:
        issued = await others.create("a key")
        async with APIKeys(users.url("worker"), **QUICK | options) as keys:
            await keys.serve()
            assert (await keys.verify(issued.secret)).valid
            await spend(keys, issued.key.id)
            await keys.status()
            await use(keys, issued.key.id)
            await keys._opened().sealing.look()
            assert (await others.deactivate(issued.key.id)).propagation.acknowledged
            assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED
        assert (await others.status()).workers == []


async def manage(users: Users, **options: Any) -> None:
    """All that a manager does, with a change by hand to catch up with."""
    async with APIKeys(users.url("manager"), **QUICK | options) as keys:
        await keys.serve()
        issued = await keys.create("nightly import", ["FILE_UPLOAD"])
        assert (await keys.verify(issued.secret)).valid
        await spend(keys, issued.key.id)
        await use(keys, issued.key.id)
        assert (await keys.prune()).rolled_up
        assert await keys.usage(issued.key.id)
        await keys.update(issued.key.id, description="weekly import")
        await keys.rotate(issued.key.id, grace=3600)
        await users.execute(f"UPDATE app.gatepost_keys SET description = 'daily' WHERE id = '{issued.key.id}'")
        assert [key.id for key in (await keys.list(search="daily")).items] == [issued.key.id]
        assert (await keys.deactivate(issued.key.id)).propagation.acknowledged
        await keys.delete(issued.key.id)
        assert (await keys.events(limit=1)).items
        await keys.audit_log.seal()
        assert (await keys.audit_log.verify()).is_whole
    await APIKeys(users.url("manager"), **QUICK).create_schema()


WORK = {"worker": serve, "manager": manage}


async def is_missed(work: Callable[[], Awaitable[None]], caplog: pytest.LogCaptureFixture) -> bool:
    """Whether the work fails, or says in the log that a right is missing."""
    caplog.clear()
    try:
        await work()
    except (UnavailableError, AssertionError):
        return True
    return DENIED.search(caplog.text) is not None


async def test_the_rights_of_the_page_suffice(users: Users, caplog: pytest.LogCaptureFixture) -> None:
    await APIKeys(users.url("owner"), **QUICK).create_schema()
    for role, work in WORK.items():
        await users.grant(role)
        await work(users)
    told = [each for each in caplog.text.splitlines() if DENIED.search(each)]
    assert all("triggers that notice" in each for each in told), told


@pytest.mark.parametrize("role", WORK)
async def test_each_right_of_the_page_is_needed(users: Users, role: str, caplog: pytest.LogCaptureFixture) -> None:
    await APIKeys(users.url("owner"), **QUICK).create_schema()
    await users.grant("worker")
    await users.grant("manager")
    needless = []
    for right in [each for each in RIGHTS[users.dialect] if each.role == role]:
        async with users.without(right):
            if not await is_missed(lambda: WORK[role](users, max_staleness=1.0), caplog):
                needless.append(right)
        await users.execute("DELETE FROM gatepost_workers")
    assert needless == []


async def test_each_right_of_the_owner_is_needed(users: Users, caplog: pytest.LogCaptureFixture) -> None:
    needless = []
    for right in [each for each in RIGHTS[users.dialect] if each.role == "owner"]:
        async with users.without(right):
            if not await is_missed(APIKeys(users.url("owner"), **QUICK).create_schema, caplog):
                needless.append(right)
        await users.empty()
    assert needless == []


async def test_a_status_without_rights_says_where_they_are_told(users: Users) -> None:
    await APIKeys(users.url("owner"), **QUICK).create_schema()
    (finding,) = (await APIKeys(users.url("worker")).status()).findings
    assert DENIED.search(finding.sentence)
    assert "(Rights)" in finding.remedy
