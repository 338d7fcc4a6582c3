"""`FakeServer`: a Redis of fakeredis, for all keys of the tests, which can be switched off.

What it knows outlives a test's event loop, and so does the one connection, of a client that is not
async: nobody waits for an answer, so commands are asked where they are wanted, from any thread.
"""

import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from gatepost.base import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gatepost.testing.clock import Clock

OFF = "an outage that the test has asked for"


class FakeServer:
    """What keys that have a Redis talk to. Raises `MissingExtraError` where fakeredis is not installed."""

    def __init__(self) -> None:
        try:
            from fakeredis import FakeRedis  # noqa: PLC0415 - an extra, and slow to import
            from fakeredis import FakeServer as Server  # noqa: PLC0415
        except ModuleNotFoundError:
            raise MissingExtraError("fakeredis", "testing") from None
        self._connection: Any = FakeRedis(server=Server(), protocol=2).connection_pool.get_connection()
        self._lock = threading.Lock()
        self._is_on = True
        self._hearers: dict[object, Callable[[bytes], None]] = {}

    def ask(self, *command: Any) -> Any:
        """What it answers to a command. Raises what redis-py raises, `redis.ConnectionError` where it is off."""
        self._check()
        with self._lock:
            self._connection.send_command(*command)
            return self._connection.read_response(disable_decoding=True)

    def hear(self, who: object, told: "Callable[[bytes], None]") -> None:
        """Have `told(channel)` called, in whatever thread, at each `publish`, until `unhear(who)`."""
        self._check()
        self._hearers[who] = told

    def unhear(self, who: object) -> None:
        """Tell `who` no more."""
        self._hearers.pop(who, None)

    def publish(self, channel: bytes) -> None:
        """Tell all who hear. Raises `redis.ConnectionError` where it is off."""
        self._check()
        for told in [*self._hearers.values()]:
            told(channel)

    def reset(self) -> None:
        """Hold nothing. Nothing may be using it."""
        self._hearers.clear()
        self.ask("FLUSHALL")

    def switch(self, *, on: bool) -> None:
        """Whether it answers."""
        self._is_on = on

    def _check(self) -> None:
        if not self._is_on:
            from gatepost.redis import LostError  # noqa: PLC0415 - loaded by now

            raise LostError(OFF)


@contextmanager
def moved_time(clock: "Clock") -> "Iterator[None]":
    """Have fakeredis answer `TIME`, by which rates are counted, with the test's time."""
    try:
        from fakeredis.commands_mixins import server_mixin  # noqa: PLC0415
    except ModuleNotFoundError:
        yield
        return
    module: Any = server_mixin
    module.time = SimpleNamespace(time=clock.time)
    try:
        yield
    finally:
        module.time = time
