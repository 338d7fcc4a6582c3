"""A process that sends requests, over connections that are kept open, and reports every answer.

Run with the workers' ports as arguments. Reads commands from its standard input, a JSON object a line:

    {"secret": number, "text": …, "weight": how often}      {"forget": number}      {"probe": number}      {"pause": s}

and writes a record of `RECORD` for each request to its standard output. A probe is sent at once, over
every other connection.
"""

import asyncio
import json
import random
import struct
import sys
import time
from collections import deque
from typing import Any

RECORD = struct.Struct("=QQIBBH")
"""Began, ended (CLOCK_MONOTONIC, nanoseconds), secret, worker, route, status."""

ANSWER_SECONDS = 30.0
AGAIN_SECONDS = 0.1
REPORT_SECONDS = 0.05
ROUTES = (b"/read", b"/write")


class Load:
    """What is to be sent, and over which connections. `pause`: seconds between two requests of one connection."""

    def __init__(self, ports: list[int], connections: int) -> None:
        self.pause = 0.05
        self._texts: dict[int, bytes] = {}
        self._numbers: list[int] = []
        self._weights: dict[int, int] = {}
        self._records = bytearray()
        self._turn = 0
        self._connections = [
            Connection(self, worker, port) for worker, port in enumerate(ports) for _ in range(connections)
        ]

    def obey(self, command: dict[str, Any]) -> None:
        """Do what a line says."""
        match command:
            case {"secret": number, "text": text, "weight": weight}:
                self._texts[number] = text.encode()
                self._weights[number] = weight
            case {"forget": number}:
                del self._weights[number]
            case {"probe": number}:
                self._turn += 1
                for connection in self._connections[self._turn % 2 :: 2]:
                    connection.probe(number)
            case {"pause": seconds}:
                self.pause = seconds
        self._numbers = [number for number, weight in self._weights.items() for _ in range(weight)]

    def choose(self) -> int | None:
        """The number of a secret to send."""
        return random.choice(self._numbers) if self._numbers else None

    def text(self, number: int) -> bytes:
        """The secret with that number."""
        return self._texts[number]

    def report(self, *record: int) -> None:
        """One request is over."""
        self._records += RECORD.pack(*record)

    async def run(self) -> None:
        """Send until the standard input ends."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=2**24)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
        tasks = [asyncio.create_task(connection.run()) for connection in self._connections]
        tasks.append(asyncio.create_task(self._write_reports()))
        while line := await reader.readline():
            self.obey(json.loads(line))
        for task in tasks:
            task.cancel()

    async def _write_reports(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            records, self._records = self._records, bytearray()
            sys.stdout.buffer.write(records)
            sys.stdout.buffer.flush()


class Connection:
    """One connection to one worker, with one request at a time."""

    def __init__(self, load: Load, worker: int, port: int) -> None:
        self._load = load
        self._worker = worker
        self._port = port
        self._probes: deque[int] = deque(maxlen=20)
        self._probed = asyncio.Event()

    def probe(self, number: int) -> None:
        """Send a request with this secret next."""
        self._probes.append(number)
        self._probed.set()

    async def run(self) -> None:
        """Send requests for ever, over a new connection where one breaks."""
        await asyncio.sleep(random.uniform(0, self._load.pause))
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            try:
                while await self._exchange(reader, writer):
                    await self._wait()
            finally:
                writer.transport.abort()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; answers whether the connection goes on."""
        number = self._probes.popleft() if self._probes else self._load.choose()
        if number is None:
            return True
        route = random.randrange(2)
        began = time.monotonic_ns()
        status = 0
        try:
            writer.write(
                b"GET %b HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %b\r\n\r\n"
                % (ROUTES[route], self._load.text(number))
            )
            async with asyncio.timeout(ANSWER_SECONDS):
                status = await _read_answer(reader)
        except (OSError, EOFError, TimeoutError):
            pass
        self._load.report(began, time.monotonic_ns(), number, self._worker, route, status)
        return status != 0

    async def _wait(self) -> None:
        if not self._probes:
            self._probed.clear()
            try:
                async with asyncio.timeout(self._load.pause * random.uniform(0.5, 1.5)):
                    await self._probed.wait()
            except TimeoutError:
                pass


async def _read_answer(reader: asyncio.StreamReader) -> int:
    """Read a whole response; its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, rest = head.partition(b"content-length:")
    await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    return int(head[9:12])


if __name__ == "__main__":
    asyncio.run(Load([int(port) for port in sys.argv[2:]], int(sys.argv[1])).run())
