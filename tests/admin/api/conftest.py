"""A site over each database, with a vault."""

from collections.abc import AsyncIterator

import pytest
from cryptography.fernet import Fernet

from gatepost import APIKeys
from tests.admin.api.site import ALL, Caller, Site, site_of


@pytest.fixture
async def keys(ready_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh database: SQLite, PostgreSQL, MariaDB in turn."""
    keys = APIKeys(ready_url, poll_interval=0.1, max_staleness=5, vault_keys=[Fernet.generate_key()])
    async with keys:
        yield keys


@pytest.fixture
async def site(keys: APIKeys) -> AsyncIterator[Site]:
    """A site over each database."""
    async with site_of(keys) as site:
        yield site


@pytest.fixture
async def boss(site: Site) -> Caller:
    """Somebody with every permission, in every project."""
    return await site.caller(*ALL)


@pytest.fixture
async def small_site(ready_sqlite_url: str) -> AsyncIterator[Site]:
    """A site over SQLite, where the database makes no difference. It has no vault."""
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, max_staleness=5) as keys, site_of(keys) as site:
        yield site


@pytest.fixture
async def small_boss(small_site: Site) -> Caller:
    """Somebody with every permission, in every project, on the small site."""
    return await small_site.caller(*ALL)
