"""Workers on two nodes of MariaDB Galera: none lets in what was taken away through the other."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gatepost import APIKeys, Outcome, UnavailableError
from gatepost.database.connecting.primary import wait_for_other_nodes
from tests.conftest import started
from tests.servers.galera import galera_nodes


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[str]]:
    """The URLs of two nodes."""
    with started(galera_nodes) as urls:
        yield urls


@pytest.fixture
async def far_engine(nodes: list[str]) -> "AsyncEngine":
    """An engine of the user's to the second node, with a connection that was made before gatepost saw it."""
    engine = create_async_engine(nodes[1])
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    return engine


@pytest.mark.timeout(300)
@pytest.mark.parametrize("given", ["a URL", "an engine"])
async def test_a_node_that_is_behind_lets_no_dead_key_in(nodes: list[str], far_engine: AsyncEngine, given: str) -> None:
    await APIKeys(nodes[0]).create_schema()
    async with (
        APIKeys(nodes[0], max_staleness=2.0, poll_interval=0.3, read_timeout=5.0) as near,
        APIKeys(
            nodes[1] if given == "a URL" else far_engine, max_staleness=2.0, poll_interval=0.3, read_timeout=5.0
        ) as far,
    ):
        issued = await near.create("a key")
        assert (await far.verify(issued.secret)).valid, "a change is there at once, on every node"
        other = create_async_engine(nodes[1], isolation_level="AUTOCOMMIT")
        async with other.connect() as backup:
            await backup.execute(text("FLUSH TABLES WITH READ LOCK"))  # it applies nothing from now on
            await near.deactivate(issued.key.id)
            for fresh in (False, True):
                try:
                    outcome: Outcome | None = (await far.verify(issued.secret, fresh=fresh)).outcome
                except UnavailableError:
                    outcome = None
                assert outcome in (None, Outcome.DEACTIVATED)
            await backup.execute(text("UNLOCK TABLES"))
        await other.dispose()
        while True:
            try:
                outcome = (await far.verify(issued.secret)).outcome
            except UnavailableError:
                await asyncio.sleep(0.1)
            else:
                break
        assert outcome is Outcome.DEACTIVATED
    assert not event.contains(far_engine.sync_engine, "checkout", wait_for_other_nodes)
    await far_engine.dispose()


@pytest.mark.timeout(300)
async def test_changes_on_two_nodes_at_once_are_made_or_told_that_nothing_was_changed(nodes: list[str]) -> None:
    await APIKeys(nodes[0]).create_schema()
    async with APIKeys(nodes[0]) as here, APIKeys(nodes[1]) as there:
        made, refused = [], []

        async def create(keys: APIKeys, number: int) -> None:
            try:
                made.append((await keys.create(f"at once {number}")).key.id)
            except UnavailableError as failure:
                refused.append(str(failure))

        for number in range(10):
            await asyncio.gather(create(here, number), create(there, number))
        listed = {key.id for key in (await there.list(search="once", limit=100)).items}
    assert set(made) == listed
    assert len(made) + len(refused) == 20
    assert all("nothing was changed" in each for each in refused)
