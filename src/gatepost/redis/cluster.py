"""A Redis Cluster: which nodes there are is learnt anew after a fault (docs/decisions/0040)."""

from collections.abc import Sequence
from itertools import count, islice
from typing import Any

import redis
from redis.asyncio import RedisCluster
from redis.exceptions import ResponseError, SlotNotCoveredError

TRIES = 64
"""Names tried for each node that is to be probed: with three nodes one is missed less often than once in 10^33."""


class Cluster:
    """What the tier asks of a cluster."""

    def __init__(self, client: RedisCluster) -> None:
        self.client = client

    async def mget(self, names: Sequence[bytes]) -> list[Any]:
        """The values under `names`, `None` for what is not held. One `MGET` a slot, those of a node in one exchange."""
        try:
            return await self.client.mget_nonatomic(names)
        except KeyError as hole:  # as redis-py 8.1 tells of a slot that no node has
            raise SlotNotCoveredError(f"no node of the cluster has slot {hole}") from hole

    async def execute(self, name: str, *words: bytes) -> Any:
        """What the command of that name answers, at the node that has its keys."""
        return await self.client.execute_command(name, *words)

    async def probe(self, name: bytes) -> None:
        """Raise unless every node that has slots answers as it does to a lookup. One exchange with each."""
        await self.client.initialize()
        silent = {node.name for node in self.client.get_primaries()}
        asked = []
        for each in islice((b"%s%d" % (name, number) for number in count()), TRIES * len(silent)):
            node = self.client.get_node_from_key(each)  # type: ignore[arg-type]  # it encodes, so takes bytes too
            if node is not None and node.name in silent:
                silent.remove(node.name)
                asked.append(each)
            if not silent:
                break
        await self.mget(asked)

    async def relearn(self) -> None:
        """Ask a node which nodes there are, another one each time: one that hangs would be asked in vain for ever.

        redis-py does so by itself where an error of its own tells of a node that failed. A wait that we end is none.
        """
        nodes = self.client.nodes_manager
        first = next(iter(nodes.startup_nodes))
        nodes.startup_nodes[first] = nodes.startup_nodes.pop(first)
        await self.client.initialize()
        await nodes.initialize()

    async def subscription(self) -> Any:
        """What to subscribe with: to be heard at each node, a channel need be listened to at one."""
        await self.client.initialize()
        if not hasattr(self.client, "pubsub"):
            raise ResponseError(f"redis-py {redis.__version__} cannot subscribe at a cluster: install a newer one")
        return self.client.pubsub()

    async def rest(self) -> None:
        """Nothing is kept between lookups."""

    async def close(self) -> None:
        """Close the client."""
        await self.client.aclose()
