"""A real HTTP/1.1 server on loopback that writes down what it is sent, and answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11

HANG = 0
"""The status that never comes."""


@dataclass(frozen=True)
class Received:
    """A request. Names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answering = Callable[[Received], int | tuple[int, Mapping[str, str], bytes]]


@dataclass
class Receiver:
    """What came, in order. `answer`: from a request to a status, or with headers and body; `HANG` = none at all."""

    answer: Answering = lambda _request: 204
    port: int = 0
    received: list[Received] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    open: int = 0
    """Connections that are open now."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def wait_for(self, number: int) -> list[Received]:
        """Return when there have been so many requests."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.received) >= number)
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.open += 1
        try:
            while await self._exchange(h11.Connection(h11.SERVER), reader, writer):
                pass
        except (ConnectionError, h11.RemoteProtocolError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _exchange(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        request: h11.Request | None = None
        body = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(65536)
                if not data:
                    return False
                connection.receive_data(data)
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                break
        assert request is not None
        headers = {name.decode(): value.decode() for name, value in request.headers}
        received = Received(request.method.decode(), request.target.decode(), headers, body)
        async with self.changed:
            self.received.append(received)
            told = self.answer(received)
            self.changed.notify_all()
        status, more, content = told if isinstance(told, tuple) else (told, {}, b"")
        if status == HANG:
            await reader.read()
            return False
        fields = [("content-length", str(len(content))), ("connection", "close"), *more.items()]
        for each in (h11.Response(status_code=status, headers=fields), h11.Data(content), h11.EndOfMessage()):
            writer.write(connection.send(each) or b"")
        await writer.drain()
        return False


@asynccontextmanager
async def receiving(
    answer: Answering = lambda _request: 204, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
