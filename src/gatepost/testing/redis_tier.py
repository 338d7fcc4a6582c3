"""The Redis tier of gatepost, on a `FakeServer`: what it asks is asked right there. redis-py would connect three times
for each test, and change tasks at each exchange, which took half of a test's time."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Self

from gatepost.redis import RedisTier, ResponseError, Single
from gatepost.testing.loop import loop_here
from gatepost.testing.redis import FakeServer


def fake_tier(server: FakeServer, *, ttl: float, timeout: float) -> RedisTier:
    """A tier that is not open yet. Times are seconds."""
    return RedisTier(Direct(server), ttl=ttl, timeout=timeout)


class Direct(Single):
    """What the tier asks of one Redis, without a client."""

    def __init__(self, server: FakeServer) -> None:
        self.client: Any = Commands(server)
        self._fake = server

    async def mget(self, names: Sequence[bytes]) -> list[Any]:
        """As `Single.mget`."""
        values: list[Any] = self._fake.ask("MGET", *names)
        return values

    async def execute(self, name: str, *words: bytes) -> Any:
        """As `Single.execute`."""
        return self._fake.ask(name, *words)

    async def relearn(self) -> None:
        """There is one server."""

    async def subscription(self) -> "Subscription":
        """What to subscribe with."""
        return Subscription(self._fake)

    async def rest(self) -> None:
        """Nothing was taken."""

    async def close(self) -> None:
        """Nothing is open."""


class Commands:
    """What else the tier asks of its client."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def execute_command(self, _publish: str, channel: bytes, _message: bytes) -> None:
        """Ring."""
        self._server.publish(channel)

    def pipeline(self, *, transaction: bool) -> "Pipeline":  # noqa: ARG002 - as redis-py has it
        """For writes."""
        return Pipeline(self._server)


class Pipeline:
    """Writes that are sent together."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._commands: list[tuple[Any, ...]] = []

    def set(self, name: bytes, value: bytes, *, px: int) -> None:
        """To be written. `px`: milliseconds."""
        self._commands.append(("SET", name, value, "PX", px))

    def delete(self, name: bytes) -> None:
        """To be removed."""
        self._commands.append(("DEL", name))

    async def execute(self, *, raise_on_error: bool) -> list[Any]:  # noqa: ARG002 - as redis-py has it
        """The answers; errors of Redis are among them."""
        return [self._answer(command) for command in self._commands]

    def _answer(self, command: tuple[Any, ...]) -> Any:
        try:
            return self._server.ask(*command)
        except ResponseError as refusal:
            return refusal


class Subscription:
    """Messages of some channels, in the order in which they came, with the face of redis-py's `PubSub`."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._channels: tuple[bytes, ...] = ()
        self._messages: deque[dict[str, Any]] = deque()
        self._came = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._server.unhear(self)

    async def subscribe(self, *channels: bytes) -> None:
        """Hear what is published there. Raises `redis.ConnectionError`."""
        self._server.hear(self, self._hear)
        self._channels = channels
        self._messages.extend({"type": "subscribe", "channel": channel} for channel in channels)

    async def get_message(self, *, timeout: None) -> dict[str, Any]:  # noqa: ARG002 - as redis-py has it
        """The next one, once it is there."""
        while not self._messages:
            self._came.clear()
            await self._came.wait()
        return self._messages.popleft()

    def _hear(self, channel: bytes) -> None:
        """In whatever thread."""
        if channel not in self._channels:
            return
        self._messages.append({"type": "message", "channel": channel})
        if loop_here() is self._loop:
            self._came.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._came.set)
