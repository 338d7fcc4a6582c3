"""TLS in front of a PostgreSQL or a Redis, as hosts end it: those of the wheels are built without OpenSSL."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""How a client begins that wants TLS (PostgreSQL's manual, "Message Formats", SSLRequest)."""


Opener = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Connects to the server behind."""


@asynccontextmanager
async def postgres_front(socket: Path, certificate: Path) -> AsyncIterator[int]:
    """The port of 127.0.0.1 where clients must ask for TLS, as PostgreSQL's do, before their bytes go on to the
    server's unix `socket`. `certificate`: `NAME.crt`, its key beside it in `NAME.key`."""

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
            raise ConnectionError  # as with `hostssl` alone in pg_hba.conf: without TLS nobody is served
        writer.write(b"S")
        await writer.drain()
        await writer.start_tls(_context(certificate))

    async with _front(begin, lambda: asyncio.open_unix_connection(str(socket))) as port:
        yield port


@asynccontextmanager
async def redis_front(behind: int, certificate: Path) -> AsyncIterator[int]:
    """The port of 127.0.0.1 where clients speak TLS from the first byte on; what they say goes on to the port
    `behind`."""

    async def begin(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(_context(certificate))

    async with _front(begin, lambda: asyncio.open_connection("127.0.0.1", behind)) as port:
        yield port


@asynccontextmanager
async def _front(
    begin: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], connect: Opener
) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            await begin(reader, writer)
            behind, before = await connect()
            with contextlib.closing(before):
                await asyncio.gather(_pump(reader, before), _pump(behind, writer))

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
