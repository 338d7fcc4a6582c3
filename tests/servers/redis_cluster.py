"""A private Redis Cluster: three masters, each with a replica that takes its place after some seconds.

The nodes are told of each other before they start, by the file in which a cluster's node keeps what it knows.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.retry import Retry

from tests.servers.folder import server_folder
from tests.servers.ports import free_port
from tests.servers.process import POLL_SECONDS, START_SECONDS, ServerError
from tests.servers.redis import RedisServer, redis_program

MASTERS = 3
BUS = 10_000
"""How far the port on which nodes talk to each other is above a node's own."""

SETTINGS = {
    "cluster_enabled": "yes",
    "cluster_node_timeout": "2000",
    "cluster_replica_validity_factor": "0",
    "repl_diskless_sync": "no",
}


class RedisCluster:
    """The nodes. Which of them are masters changes where a test has one go away."""

    def __init__(self, nodes: Sequence[RedisServer]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        """Names every node, so that it leads to the cluster whichever of them are there."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def master_of(self, name: bytes) -> RedisServer:
        """The node that serves this name, by its own word."""
        slot = key_slot(name)
        while True:
            for node in self.nodes:
                if _master_of(node, slot) == node.port:
                    return node
            time.sleep(POLL_SECONDS)

    def name_at(self, node: RedisServer) -> bytes:
        """A name that this master serves."""
        names = (b"%d" % number for number in count())
        return next(name for name in names if _master_of(node, key_slot(name)) == node.port)

    def heal(self) -> None:
        """Return when every node runs, and each master has its replica."""
        for node in self.nodes:
            node.resume()
            node.start(**SETTINGS)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_whole():
            if time.monotonic() > deadline:
                raise ServerError("the Redis Cluster did not become whole")
            time.sleep(POLL_SECONDS)

    def move_slot(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Have another master serve the slot, in which there must be nothing."""
        identity = _ask(target, "CLUSTER", "MYID").decode()
        for node in (target, source):
            _ask(node, "CLUSTER", "SETSLOT", slot, "NODE", identity)

    def _is_whole(self) -> bool:
        roles = []
        try:
            for node in self.nodes:
                if b"cluster_state:ok" not in _ask(node, "CLUSTER", "INFO") or b"fail" in _ask(
                    node, "CLUSTER", "NODES"
                ):
                    return False
                roles.append(_ask(node, "ROLE"))
        except RedisError:
            return False
        masters = [role for role in roles if role[0] == b"master"]
        replicas = [role for role in roles if role[0] == b"slave" and role[3] == b"connected"]
        return len(masters) == MASTERS and len(replicas) == len(roles) - MASTERS and all(role[2] for role in masters)


@contextmanager
def redis_cluster() -> Iterator[RedisCluster]:
    """Start the nodes, and stop them at the end. Raises ProgramMissingError or ServerError."""
    program = redis_program()
    ports = _free_ports(2 * MASTERS)
    with ExitStack() as stack:
        nodes = []
        for number, port in enumerate(ports):
            folder = stack.enter_context(server_folder("cluster"))
            (folder / "nodes.conf").write_text(_knowledge(ports, number))
            node = RedisServer(program, folder, port)
            stack.callback(node.stop)
            node.start(**SETTINGS)
            nodes.append(node)
        cluster = RedisCluster(nodes)
        cluster.heal()
        yield cluster


def _knowledge(ports: Sequence[int], own: int) -> str:
    """What the node of that number knows of all: the second half are replicas of the first."""
    identities = [f"{number:040x}" for number in range(1, len(ports) + 1)]
    lines = []
    for number, port in enumerate(ports):
        master = number % MASTERS
        flags = ("myself," if number == own else "") + ("master" if number == master else "slave")
        of = "-" if number == master else identities[master]
        first, last = (REDIS_CLUSTER_HASH_SLOTS * each // MASTERS for each in (master, master + 1))
        slots = f" {first}-{last - 1}" if number == master else ""
        lines.append(
            f"{identities[number]} 127.0.0.1:{port}@{port + BUS} {flags} {of} 0 0 {master + 1} connected{slots}"
        )
    return "\n".join([*lines, f"vars currentEpoch {MASTERS} lastVoteEpoch 0", ""])


def _free_ports(wanted: int) -> Sequence[int]:
    """Ports whose other one, for the talk among nodes, is free too."""
    ports: set[int] = set()
    while len(ports) < wanted:
        port = free_port()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port + BUS))
            except OSError:
                continue
        ports.add(port)
    return sorted(ports)


def _master_of(node: RedisServer, slot: int) -> int | None:
    """The port of the slot's master, by that node's word; `None` where it says nothing."""
    try:
        ranges = _ask(node, "CLUSTER", "SLOTS")
    except RedisError:
        return None
    return next((int(master[1]) for first, last, master, *_ in ranges if first <= slot <= last), None)


def _ask(node: RedisServer, *command: str | int) -> Any:
    with Redis(port=node.port, host="127.0.0.1", socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
        client.response_callbacks.clear()
        return client.execute_command(*command)
