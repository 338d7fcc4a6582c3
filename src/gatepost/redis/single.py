"""One Redis, or the master that a Sentinel names."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as LostError

KEPT_FROM = 10
"""Connections that a pool may have at least, for one of them to be kept: of a smaller one others are in need."""


class Single:
    """What the tier asks of one Redis. Between lookups it keeps a connection of the client's pool: to take and return
    one costs more than a lookup (docs/decisions/0041)."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self._pool = client.connection_pool
        self._may_keep = self._pool.max_connections >= KEPT_FROM
        self._is_watched = isinstance(self._pool, SentinelConnectionPool) and self._pool.is_master
        self._kept: AbstractConnection | None = None

    async def mget(self, names: Sequence[bytes]) -> list[Any]:
        """The values under `names`, which are all of one length; `None` for what is not held. One `MGET`."""
        command = packed_mget(names)
        connection = await self._connection()
        try:
            values: list[Any] = await self._ask(connection, command)
        except LostError:  # as idle ones are, and others of the pool may be: one made anew tells whether Redis is there
            connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            await connection.disconnect(nowait=True)
            values = await self._ask(connection, command)
        return values

    async def execute(self, name: str, *words: bytes) -> Any:
        """What the command of that name answers. One exchange, never made again: it may have been carried out though
        its answer is lost."""
        return await self._ask(await self._connection(), packed((name.encode(), *words)))

    async def _connection(self) -> AbstractConnection:
        """The connection that is kept, or one of the pool's: nobody else has it then. One that is known to be closed
        connects anew when it is asked: redis-py 8.1 hands such ones out, where maintenance notifications are on."""
        connection, self._kept = self._kept, None
        if connection is not None and self._is_of_another_master(connection):
            await self._end(connection)
            connection = None
        if connection is None:
            connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        if await _is_closed(connection):
            await connection.disconnect(nowait=True)
        return connection

    async def _end(self, connection: AbstractConnection) -> None:
        """Close a connection, and give it back."""
        try:
            await connection.disconnect(nowait=True)  # the old master may hang
        finally:
            await self._pool.release(connection)

    async def probe(self, name: bytes) -> None:
        """Raise unless it answers as it does to a lookup. One exchange."""
        await self.mget([name])

    async def relearn(self) -> None:
        """Whoever asks where the master is asks another Sentinel first: the one asked so far may hang."""
        if isinstance(self._pool, SentinelConnectionPool):
            sentinels = self._pool.sentinel_manager.sentinels
            sentinels.append(sentinels.pop(0))

    async def subscription(self) -> Any:
        """What to subscribe with."""
        return self.client.pubsub()

    async def rest(self) -> None:
        """Give the pool back what was taken from it."""
        connection, self._kept = self._kept, None
        if connection is not None:
            await self._pool.release(connection)

    async def close(self) -> None:
        """Close the client."""
        await self.client.aclose()
        if isinstance(self._pool, SentinelConnectionPool):
            for sentinel in self._pool.sentinel_manager.sentinels:
                await sentinel.aclose()

    async def _ask(self, connection: AbstractConnection, command: bytes) -> Any:
        try:
            await connection.send_packed_command(command)
            answer = await connection.read_response(disable_decoding=True)
        except BaseException:
            await self._pool.release(connection)  # redis-py has closed it, unless Redis has refused the command
            raise
        if self._kept is None and self._may_keep:
            self._kept = connection
        else:
            await self._pool.release(connection)
        return answer

    def _is_of_another_master(self, connection: AbstractConnection) -> bool:
        """Whether the Sentinel has named another since it was made."""
        if not self._is_watched:
            return False
        return bool(self._pool.master_address != (connection.host, connection.port))  # type: ignore[attr-defined]


async def _is_closed(connection: AbstractConnection) -> bool:
    """Whether the other end has closed it, or has sent what nobody has read. No wait."""
    try:
        return bool(await connection.can_read())
    except OSError:  # a `LostError` is none
        return True


def packed_mget(names: Sequence[bytes]) -> bytes:
    """The command as Redis is sent it (RESP: how many parts, and each after its length). `names`: one at least, all of
    one length, so that one join will do: redis-py writes name by name, which takes a tenth of a lookup's time."""
    before_each = b"\r\n$%d\r\n" % len(names[0])
    return b"*%d\r\n$4\r\nMGET%b%b\r\n" % (len(names) + 1, before_each, before_each.join(names))


def packed(words: Sequence[bytes]) -> bytes:
    """Any command, likewise."""
    return b"".join([b"*%d\r\n" % len(words), *[b"$%d\r\n%b\r\n" % (len(word), word) for word in words]])
