"""Keys, workers and an auditor over one database."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack

import pytest

from gatepost import APIKeys
from gatepost.audit.asking import Asking
from gatepost.audit.auditor import Auditor
from gatepost.database.database import Database
from tests.audit.serving import TOKEN, Serving, serving

StartWorker = Callable[..., Serving]


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest) -> str:
    """The test runs once for each: a database that several processes share."""
    url: str = request.getfixturevalue(
        {"sqlite": "ready_sqlite_url", "postgresql": "ready_postgres_url"}[request.param]
    )
    return url


@pytest.fixture
async def keys(shared_url: str) -> AsyncIterator[APIKeys]:
    """The keys, as a process manages them that serves nothing."""
    keys = APIKeys(shared_url, memory_entries=0)
    async with keys:
        yield keys


@pytest.fixture
def start(keys: APIKeys, shared_url: str) -> Iterator[StartWorker]:
    """`start(broken="")`: a worker."""
    with ExitStack() as stack:

        def start(broken: str = "") -> Serving:
            return stack.enter_context(serving(shared_url, broken))

        yield start


@pytest.fixture
async def audit(shared_url: str) -> AsyncIterator[Callable[..., "object"]]:
    """`await audit(*workers)`: an auditor that has begun."""
    async with AsyncExitStack() as stack:

        async def audit(*workers: Serving) -> Auditor:
            database = Database(shared_url, timeout=60.0)
            await database.open()
            stack.push_async_callback(database.close)
            asked = [await stack.enter_async_context(Asking(worker.url, TOKEN)) for worker in workers]
            auditor = Auditor(database, asked)
            await auditor.begin()
            return auditor

        yield audit
