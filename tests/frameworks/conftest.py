"""Keys in an SQLite file, made once and copied for each test."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gatepost import APIKeys, Issued
from tests.deaf import deafen
from tests.frameworks.contract import Contract, FreshContract, SocketContract, ran


class Issuance(NamedTuple):
    """The keys that every test finds."""

    uploader: Issued
    """May upload and list, in project acme."""
    reader: Issued
    """May only list, in project acme."""
    stranger: Issued
    """May upload and list, in project globex."""
    anywhere: Issued
    """May upload and list, company-wide."""
    deactivated: Issued
    """May upload and list, in project acme, and is switched off."""


async def _issue(path: Path) -> Issuance:
    async with APIKeys(f"sqlite:///{path}") as keys:
        both = ["FILE_UPLOAD", "OBJECTS_LIST"]
        issuance = Issuance(
            await keys.create("uploader", both, project="acme"),
            await keys.create("reader", ["OBJECTS_LIST"], project="acme"),
            await keys.create("stranger", both, project="globex"),
            await keys.create("anywhere", both),
            await keys.create("deactivated", both, project="acme"),
        )
        await keys.deactivate(issuance.deactivated.key.id)
    return issuance


@pytest.fixture(scope="session")
def issued_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Issuance]:
    path = tmp_path_factory.mktemp("issued") / "keys.db"
    with asyncio.Runner() as runner:
        return path, runner.run(_issue(path))


@pytest.fixture
def issuance(issued_file: tuple[Path, Issuance]) -> Issuance:
    return issued_file[1]


@pytest.fixture
def database(issued_file: tuple[Path, Issuance], tmp_path: Path) -> str:
    """The URL of a file of this test's own, with the keys of `issuance`."""
    path = tmp_path / "keys.db"
    shutil.copy(issued_file[0], path)
    return f"sqlite:///{path}"


@pytest.fixture
async def keys(database: str) -> AsyncIterator[APIKeys]:
    """Open, on this test's own file."""
    async with APIKeys(database) as keys:
        yield keys


@pytest.fixture
async def blind(database: str) -> AsyncIterator[APIKeys]:
    """Open on the same file in the place of another worker, with a lease that outlasts the test, and polls that do
    not come before its end."""
    async with APIKeys(database, poll_interval=30, max_staleness=60) as keys:
        deafen(keys)
        await keys.serve()
        yield keys


@pytest.fixture(autouse=True)
def nothing_ran() -> Iterator[None]:
    ran.clear()
    yield
    ran.clear()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A contract's test runs once for each of the routes that the framework's class names."""
    if metafunc.cls is None:
        return
    if "guarded" in metafunc.fixturenames and issubclass(metafunc.cls, Contract):
        metafunc.parametrize("guarded", metafunc.cls.guarded)
    if "fresh" in metafunc.fixturenames and issubclass(metafunc.cls, FreshContract):
        metafunc.parametrize("fresh", metafunc.cls.fresh)
    if "socket" in metafunc.fixturenames and issubclass(metafunc.cls, SocketContract):
        metafunc.parametrize("socket", metafunc.cls.sockets)
