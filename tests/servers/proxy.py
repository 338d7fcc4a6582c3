"""A TCP proxy in front of a server, which can go silent, cut its connections or be slow, as networks do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 65536

UNDER_WAY = 100
"""Most chunks that are being delayed each way."""


class Proxy:
    """Passes bytes between clients on 127.0.0.1 and a server. Lives in the test's event loop.

    `port`: where clients connect.
    """

    def __init__(self, target: tuple[str, int] | str) -> None:
        self._target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._delay_seconds = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._lost: set[int] = set()
        self.port = 0

    def stall(self) -> None:
        """Keep connections open and pass nothing on, either way."""
        self._flowing.clear()

    def lose(self, port: int) -> None:
        """Forget the connection that the server sees coming from this port: it stays open, and what either side says
        is lost."""
        self._lost.add(port)

    def flow(self) -> None:
        """Pass bytes on again, and accept connections again."""
        self._refusing = False
        self._flowing.set()

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        self._refusing = True
        for writer in self._writers:
            writer.transport.abort()

    def lead_to(self, target: tuple[str, int] | str) -> None:
        """From now on to another server; every connection is closed."""
        self._target = target
        self.cut()
        self.flow()

    def delay(self, seconds: float) -> None:
        """Pass each byte on that much later, either way; what is under way arrives as it was to."""
        self._delay_seconds = seconds

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        if self._refusing:
            writer.transport.abort()
            return
        try:
            if isinstance(self._target, str):
                there_reader, there_writer = await asyncio.open_unix_connection(self._target)
            else:
                there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:  # the server is down
            writer.transport.abort()
            return
        if self._refusing:  # cut while this one was being made
            writer.transport.abort()
            there_writer.transport.abort()
            return
        self._writers |= {writer, there_writer}
        name = there_writer.get_extra_info("sockname")
        port = name[1] if isinstance(name, tuple) else 0
        with suppress(asyncio.CancelledError):  # the loop ends: asyncio's streams would tell of it
            await asyncio.gather(self._pump(reader, there_writer, port), self._pump(there_reader, writer, port))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(UNDER_WAY)
        writing = asyncio.create_task(self._write(chunks, writer))
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if port not in self._lost:
                    await chunks.put((loop.time() + self._delay_seconds, data))
        await chunks.put((0.0, b""))
        await writing

    async def _write(self, chunks: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await chunks.get()
            if not data:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._flowing.wait()
            with suppress(OSError):  # what comes for one that is gone is read all the same, and lost
                writer.write(data)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()


@asynccontextmanager
async def proxied(target: tuple[str, int] | str) -> AsyncIterator[Proxy]:
    """A proxy to `target`: host and port, or the path of a unix socket."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.flow()
        proxy.cut()
        await asyncio.sleep(0)
