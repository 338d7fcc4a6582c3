"""Open keys, and FastMCP told to log nothing."""

import logging
from collections.abc import AsyncIterator

import pytest

from gatepost import APIKeys


@pytest.fixture(autouse=True)
def quiet() -> None:
    """FastMCP logs each refusal with its traceback."""
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    logging.getLogger("fastmcp").setLevel(logging.CRITICAL)


@pytest.fixture
async def keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    async with APIKeys(ready_sqlite_url) as opened:
        yield opened
