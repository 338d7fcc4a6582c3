"""Workers on three nodes of MariaDB Galera: none lets in what was taken away through the other."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import gatepost.database.commit
from gatepost import APIKeys, Issued, Outcome, SchemaError, UnavailableError
from gatepost.database.changes import Change
from gatepost.database.commit import is_conflict, was_committed
from gatepost.database.connecting import changing
from gatepost.database.connecting.primary import SYNC_WAIT
from gatepost.database.schema import events, turn
from gatepost.database.transaction import Transaction
from tests.conftest import started
from tests.servers.galera import galera_nodes


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[str]]:
    """The URLs of three nodes."""
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
    await far_engine.dispose()


@pytest.mark.timeout(300)
async def test_who_closes_leaves_an_engine_that_others_use_waiting_for_other_nodes(
    nodes: list[str], far_engine: AsyncEngine
) -> None:
    await APIKeys(nodes[0]).create_schema()
    ask = text("SELECT @@wsrep_sync_wait")

    async def ask_anew() -> int:
        await far_engine.dispose()
        async with far_engine.connect() as connection:
            return int(await connection.scalar(ask))

    async with APIKeys(far_engine) as keys:
        assert await ask_anew() == SYNC_WAIT
        await APIKeys(far_engine).status()
        async with APIKeys(far_engine):
            pass
        assert await ask_anew() == SYNC_WAIT
        await keys.ping()
    assert await ask_anew() == 0
    await far_engine.dispose()


@pytest.mark.timeout(300)
async def test_changes_on_two_nodes_at_once_are_all_made_each_once(nodes: list[str]) -> None:
    await APIKeys(nodes[0]).create_schema()
    async with APIKeys(nodes[0]) as here, APIKeys(nodes[1]) as there:
        made = []
        for number in range(20):
            pair = await asyncio.gather(*(keys.create(f"at once {number}") for keys in (here, there)))
            made += [each.key.id for each in pair]
        listed = {key.id for key in (await there.list(search="once", limit=100)).items}
        events = [each.key_id for each in (await here.events(kind="created", limit=100)).items]
    assert len(set(made)) == 40
    assert set(made) == listed
    assert sorted(each for each in events if each in listed) == sorted(made), "one event each"


@pytest.mark.timeout(300)
async def test_what_is_switched_off_on_any_of_three_nodes_is_dead_on_all_of_them(nodes: list[str]) -> None:
    await APIKeys(nodes[0]).create_schema()
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(APIKeys(node, read_timeout=5.0)) for node in nodes]
        made = await asyncio.gather(*(workers[number % 3].create(f"a key {number}") for number in range(12)))
        for issued in made:
            assert [(await worker.verify(issued.secret)).valid for worker in workers] == [True, True, True]

        async def end(number: int) -> list[Outcome]:
            await workers[number % 3].deactivate(made[number].key.id)
            return [(await worker.verify(made[number].secret)).outcome for worker in workers]

        outcomes = await asyncio.gather(*map(end, range(12)))
    assert outcomes == [[Outcome.DEACTIVATED] * 3] * 12


@pytest.mark.timeout(300)
@pytest.mark.parametrize("ended", ["not yet", "rolled back", "committed"])
async def test_another_node_that_is_asked_for_a_lost_change_sees_to_it_that_its_answer_stays_true(
    nodes: list[str], ended: str
) -> None:
    await APIKeys(nodes[0]).create_schema()
    async with APIKeys(nodes[0]) as here, APIKeys(nodes[1]) as there:
        near, far = here._database.engine, there._database.engine
        async with changing(near) as connection:
            transaction = Transaction(connection, 20.0)
            await transaction.begin()
            change = Change(transaction, None)
            await change.invalidate()
            change.keep()
            await transaction.finish()
            if ended == "committed":
                await connection.commit()
            elif ended == "rolled back":
                await connection.rollback()
            made = await was_committed(far, transaction, 20.0)
            assert made is (ended == "committed")
            if ended == "not yet":
                with pytest.raises(DBAPIError) as lost:
                    await transaction.commit()
                assert is_conflict(lost.value)
                await connection.invalidate()
        async with changing(near) as connection:
            nonce = await connection.scalar(select(events.c.nonce).where(events.c.seq == change.seq))
        assert nonce == (change.nonce if made else None)
        await here.create("the next change")


@pytest.mark.timeout(300)
async def test_a_change_that_meets_another_each_time_is_told_that_nothing_was_changed(
    nodes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gatepost.database.commit, "ATTEMPTS", 1)
    await APIKeys(nodes[0]).create_schema()
    refused: list[BaseException] = []
    async with APIKeys(nodes[0]) as here, APIKeys(nodes[1]) as there:
        while not refused:
            pair = await asyncio.gather(*(keys.create("met another") for keys in (here, there)), return_exceptions=True)
            refused += [each for each in pair if isinstance(each, BaseException)]
            made = sum(isinstance(each, Issued) for each in pair)
            assert made + len(refused) == 2
    assert all(isinstance(each, UnavailableError) for each in refused)
    assert all("changed keys at the same moment, 1 times in a row (nothing was" in str(each) for each in refused)


@pytest.mark.timeout(300)
async def test_the_tables_are_made_once_from_all_nodes_at_the_same_time(nodes: list[str]) -> None:
    for number in range(3):
        urls = [make_url(url).set(database=f"made_{number}").render_as_string() for url in nodes]
        for node in nodes:  # from each, for the other may not have applied it yet
            operator = create_async_engine(node, isolation_level="AUTOCOMMIT")
            async with operator.connect() as connection:
                await connection.execute(text(f"CREATE DATABASE IF NOT EXISTS made_{number}"))
            await operator.dispose()
        await asyncio.gather(*(APIKeys(url).create_schema() for url in [*urls, *urls]))
        async with APIKeys(urls[0]) as here, APIKeys(urls[1]) as there:
            issued = await here.create("a key")
            assert (await there.verify(issued.secret, fresh=True)).valid


@pytest.mark.timeout(300)
async def test_who_waits_for_another_node_in_vain_is_told_which_and_what_to_do(
    nodes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "WAIT_SECONDS", 1)
    await APIKeys(nodes[0]).create_schema()
    engines = [create_async_engine(url, isolation_level="AUTOCOMMIT") for url in nodes]
    async with engines[0].connect() as here, engines[1].connect() as there:
        await here.execute(turn._TAKE)  # as by a process that was killed
        with pytest.raises(
            SchemaError, match=r"Another node of the cluster \(.*\) has been migrating.*gatepost_migrating"
        ):
            await APIKeys(nodes[1]).create_schema()
        await APIKeys(nodes[0]).create_schema()  # of that node, so that process is known to be gone
        await there.execute(text("SET SESSION wsrep_sync_wait = 1"))
        assert not (await there.execute(turn._HELD)).all()
        await APIKeys(nodes[1]).create_schema()
    for engine in engines:
        await engine.dispose()


@pytest.mark.timeout(300)
async def test_a_node_that_is_cut_off_from_its_cluster_says_so_and_works_again_once_it_is_not(nodes: list[str]) -> None:
    await APIKeys(nodes[0]).create_schema()
    operator = create_async_engine(nodes[1], isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True)
    async with APIKeys(nodes[1]) as keys, operator.connect() as connection:
        issued = await keys.create("a key")
        await connection.execute(text("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'"))
        told = ""
        while "cut off from its cluster" not in told:
            try:
                assert (await keys.verify(issued.secret, fresh=True)).valid, "until the nodes miss each other"
            except UnavailableError as failure:
                told = str(failure)
            await asyncio.sleep(0.1)
        with pytest.raises(UnavailableError, match="cut off from its cluster"):
            await keys.create("another")
        await connection.execute(text("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'"))
        while True:
            try:
                assert (await keys.verify(issued.secret, fresh=True)).valid
            except UnavailableError:
                await asyncio.sleep(0.1)
            else:
                break
    await operator.dispose()
