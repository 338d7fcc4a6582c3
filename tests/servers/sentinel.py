"""A private Sentinel with a master and a replica, which takes its place after a second of silence."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers.folder import server_folder
from tests.servers.ports import free_port
from tests.servers.process import POLL_SECONDS, START_SECONDS, ServerError, ServerProcess
from tests.servers.redis import RedisServer, redis_program

SERVICE = "keys"

SETTINGS = """
port {port}
bind 127.0.0.1
sentinel monitor {service} 127.0.0.1 {master} 1
sentinel down-after-milliseconds {service} 1000
sentinel failover-timeout {service} 3000
"""


class Sentinel:
    """What a Sentinel watches. `servers`: the master and the replica, in the order in which they were started."""

    def __init__(self, port: int, servers: tuple[RedisServer, RedisServer]) -> None:
        self.port = port
        self.servers = servers

    @property
    def url(self) -> str:
        """The URL of the master's database 0, by way of the Sentinel."""
        return f"redis+sentinel://127.0.0.1:{self.port}/{SERVICE}/0"

    @property
    def master(self) -> RedisServer:
        """The one that the Sentinel names."""
        with _client(self.port) as client:
            _, port = client.sentinel_get_master_addr_by_name(SERVICE)
        return next(server for server in self.servers if server.port == port)

    def failover(self) -> None:
        """Have the other one take the master's place, as planned; return when it has."""
        before = self.master
        with _client(self.port) as client:
            client.sentinel_failover(SERVICE)
        _wait_until(lambda: self.master is not before)

    def wait_until_whole(self) -> None:
        """Return when the Sentinel knows both, and one follows the other."""
        _wait_until(self._is_whole)

    def _is_whole(self) -> bool:
        with _client(self.port) as client:
            state = client.sentinel_master(SERVICE)
            replicas = client.sentinel_slaves(SERVICE)
        followed = [each for each in replicas if each["flags"] == "slave" and each["master-link-status"] == "ok"]
        return state["flags"] == "master" and len(followed) == 1


@contextmanager
def sentinel_server() -> Iterator[Sentinel]:
    """Start all three, and stop them at the end. Raises ProgramMissingError or ServerError."""
    program = redis_program()
    with server_folder("sentinel") as place, server_folder("master") as first, server_folder("replica") as second:
        master, replica = RedisServer(program, first), RedisServer(program, second)
        process = None
        try:
            master.start(repl_diskless_sync="no")
            replica.start(repl_diskless_sync="no")
            with _client(replica.port) as client:
                client.slaveof("127.0.0.1", str(master.port))
            port = free_port()
            told = place / "sentinel.conf"
            told.write_text(SETTINGS.format(port=port, service=SERVICE, master=master.port))
            process = ServerProcess([program.path, told, "--sentinel"], place)
            process.wait_until(lambda: _answers(port))
            sentinel = Sentinel(port, (master, replica))
            sentinel.wait_until_whole()
            yield sentinel
        finally:
            for server in (process, replica, master):
                if server is not None:
                    server.stop()


def _wait_until(answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if time.monotonic() > deadline:
            raise ServerError("the Sentinel and its servers did not come to rest")
        time.sleep(POLL_SECONDS)


def _client(port: int) -> Redis:
    return Redis(port=port, host="127.0.0.1", socket_timeout=1, retry=Retry(NoBackoff(), 0))


def _answers(port: int) -> bool:
    with _client(port) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False
