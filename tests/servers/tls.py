"""TLS in front of a PostgreSQL, as hosts' poolers end it: the wheel's PostgreSQL is built without OpenSSL."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""How a client begins that wants TLS (PostgreSQL's manual, "Message Formats", SSLRequest)."""


@asynccontextmanager
async def tls_front(socket: Path, certificate: Path) -> AsyncIterator[int]:
    """The port of 127.0.0.1 where clients must speak TLS before their bytes go on to the server's unix `socket`.
    `certificate`: `NAME.crt`, its key beside it in `NAME.key`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                return  # as `hostssl` alone in pg_hba.conf: without TLS nobody is served
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(context)
            behind, before = await asyncio.open_unix_connection(str(socket))
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


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
