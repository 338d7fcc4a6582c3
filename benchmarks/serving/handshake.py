"""A client that does nothing but open WebSockets: light, so that the server is what is measured.

A client that speaks the whole protocol costs as much as the server does, and would hide what a middleware adds.
"""

import asyncio
import time

REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Authorization: {authorization}\r\n\r\n"
)
"""With the key of RFC 6455, section 1.3."""

ACCEPTED = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The answer to that key."""

CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
"""A close frame with code 1000, masked by zeros."""


class HandshakeError(Exception):
    """The server did not accept."""


class _Socket(asyncio.Protocol):
    """One WebSocket, from the handshake to the end of its connection; `ended` is then what it received."""

    def __init__(self, request: bytes) -> None:
        self.ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._request = request
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]  # TCP can be written to
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, frames = self._received.partition(b"\r\n\r\n")
        if end and (frames[:1] == CLOSE[:1] or b" 101 " not in head.partition(b"\r\n")[0]):
            self._transport.write(CLOSE)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a refused one is seen in the answer
        self.ended.set_result(self._received)


class Handshakes:
    """Opens WebSockets, `at_once` at a time, and lets the server close each."""

    def __init__(self, port: int, path: str, authorization: str, *, at_once: int) -> None:
        self._port = port
        self._request = REQUEST.format(path=path, port=port, authorization=authorization).encode()
        self._at_once = at_once

    async def rate(self, seconds: float) -> float:
        """Handshakes per second; each of those at once does one at least. Raises `HandshakeError` with an answer that
        was another than an acceptance."""
        began = time.perf_counter()
        runs = [self._run(began + seconds) for _ in range(self._at_once)]
        done = 0
        for each in await asyncio.gather(*runs, return_exceptions=True):  # all end, and leave no connection behind
            if isinstance(each, BaseException):
                raise each
            done += each
        return done / (time.perf_counter() - began)

    async def _run(self, until: float) -> int:
        """How many one after the other were done."""
        loop = asyncio.get_running_loop()
        done = 0
        while not done or time.perf_counter() < until:
            _, socket = await loop.create_connection(lambda: _Socket(self._request), "127.0.0.1", self._port)
            if ACCEPTED not in (received := await socket.ended):
                raise HandshakeError(f"not accepted: {(received or b'nothing')[:200]!r}")
            done += 1
        return done
