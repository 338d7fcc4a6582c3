"""Open keys, and somebody who tells of leaks."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from gatepost import APIKeys
from gatepost.leaks import Leaks

Caller = Callable[..., httpx2.AsyncClient]
ADDRESS = "192.0.2.7"
BASE = "http://leaks"


@pytest.fixture
async def keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh SQLite file."""
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, max_staleness=300) as keys:
        yield keys


@pytest.fixture
def calling(keys: APIKeys) -> Caller:
    """Makes a client of `Leaks` with these arguments."""

    def make(*, address: str = ADDRESS, app: Leaks | None = None, **arguments: Any) -> httpx2.AsyncClient:
        app = app or Leaks(keys, **arguments)
        transport = httpx2.ASGITransport(app=app, client=(address, 1))
        return httpx2.AsyncClient(transport=transport, base_url=BASE)

    return make
