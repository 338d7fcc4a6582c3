"""A Redis Cluster, whose nodes hang, and whose slots move: it costs one timeout, and then it works again."""

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import RedisCluster as Client
from redis.crc import key_slot

from gatepost import APIKeys, Outcome
from gatepost.base.secret import digest
from gatepost.redis.cluster import Cluster
from gatepost.redis.tier import RedisTier
from tests.freshness.conftest import MakeWorker, counted_statements, settled
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster

SEVERAL = 40
"""Keys enough for each of three nodes to have some."""


def tier_of(keys: APIKeys) -> RedisTier:
    tier = keys._opened().redis
    assert tier is not None
    return tier


def all_but_the_probed(cluster: RedisCluster, keys: APIKeys) -> list[RedisServer]:
    """The masters that a probe of a single name would say nothing of, the doorbell's among them if it can be."""
    prefix = tier_of(keys)._prefix
    probed = cluster.master_of(prefix + b"probe")
    masters = {cluster.master_of(b"%d" % number) for number in range(100)}
    return sorted(masters - {probed}, key=lambda node: node is not cluster.master_of(prefix + b"nudge"))


async def looked_up_in_redis(keys: APIKeys, secrets: list[str]) -> int:
    """How many of the keys the database was asked for, where all must be right."""
    keys._opened().lookup._memory.clear()
    before = keys._opened().lookup.counts.reads_digests
    for secret in secrets:
        assert (await keys.verify(secret)).valid
    return keys._opened().lookup.counts.reads_digests - before


async def test_a_node_that_hangs_is_given_up_once_and_after_its_replica_took_over_redis_is_used_again(
    worker: MakeWorker, redis_cluster: RedisCluster, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(host="127.0.0.1", port=redis_cluster.nodes[0].port)  # with the timeouts that redis-py gives it
    keys = await worker(client, redis_timeout=1.0)
    tier = tier_of(keys)
    secrets = [(await keys.create(f"key {number}")).secret for number in range(SEVERAL)]
    await looked_up_in_redis(keys, secrets)
    await settled(keys)
    hung = all_but_the_probed(redis_cluster, keys)[0]
    name = redis_cluster.name_at(hung)
    caplog.set_level(logging.WARNING)
    hung.pause()
    while tier.healthy:
        await looked_up_in_redis(keys, secrets)
    await asyncio.to_thread(redis_cluster.master_of, name)  # its replica has taken over
    while not tier.healthy:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.01)
    await looked_up_in_redis(keys, secrets)
    await settled(keys)
    assert await looked_up_in_redis(keys, secrets) == 0, "what the new master holds is found"
    assert caplog.text.count("going on without it") == 1
    assert caplog.text.count("answers again") == 1
    await keys.close()
    await client.aclose()


async def test_a_slot_that_moves_costs_nothing(worker: MakeWorker, redis_cluster: RedisCluster) -> None:
    keys = await worker(redis_cluster.url)
    tier = tier_of(keys)
    issued = await keys.create("a key")
    name = tier._name(digest(issued.secret.encode()))
    source = redis_cluster.master_of(name)
    target = next(
        node for node in map(redis_cluster.master_of, (b"%d" % number for number in range(100))) if node is not source
    )
    redis_cluster.move_slot(key_slot(name), source, target)
    assert (await keys.verify(issued.secret)).valid
    await settled(keys)
    assert await looked_up_in_redis(keys, [issued.secret]) == 0
    assert tier.healthy
    tier.drop([digest(issued.secret.encode())])
    await settled(keys)
    redis_cluster.move_slot(key_slot(name), target, source)


async def test_a_probe_asks_every_node_that_has_slots(redis_cluster: RedisCluster) -> None:
    async with Client(host="127.0.0.1", port=redis_cluster.nodes[0].port) as client:
        cluster = Cluster(client)
        asked: list[bytes] = []
        cluster.mget = lambda names: asked.extend(names) or client.mget_nonatomic(names)  # type: ignore[method-assign, func-returns-value]
        await cluster.probe(b"gatepost:probe")
        masters = {node.name for node in client.get_primaries()}
        assert len(masters) == 3
        assert sorted(client.get_node_from_key(name).name for name in asked) == sorted(masters)  # type: ignore[arg-type, union-attr]


@pytest.mark.parametrize("given", ["a URL", "a client"])
async def test_workers_share_what_a_cluster_holds_and_ring_at_each_other(
    worker: MakeWorker, redis_cluster: RedisCluster, given: str
) -> None:
    async with AsyncExitStack() as stack:
        cluster: str | Client = redis_cluster.url
        if given == "a client":
            cluster = await stack.enter_async_context(Client(host="127.0.0.1", port=redis_cluster.nodes[0].port))
        first, second = await worker(cluster, poll_interval=30.0), await worker(cluster)
        made = [await first.create(f"key {number}") for number in range(SEVERAL)]
        await asyncio.gather(*(first.verify(issued.secret) for issued in made))
        await settled(first)
        with counted_statements(second) as counts:
            verdicts = await asyncio.gather(*(second.verify(issued.secret) for issued in made))
        assert all(verdict.valid for verdict in verdicts)
        assert counts["records"] == 0
        await second.deactivate(made[0].key.id)
        assert (await first.verify(made[0].secret)).outcome is Outcome.DEACTIVATED
        for keys in (first, second):
            await keys.close()
