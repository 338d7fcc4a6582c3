"""A process that sends requests, over connections that are kept open, and reports every answer.

Run with how many connections it has to each worker, and the workers' ports. Reads commands from its standard input, a
JSON object a line:

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
from contextlib import suppress
from typing import Any

from tests.servers.child import commands

RECORD = struct.Struct("=QQIBBH")
"""Began, ended (CLOCK_MONOTONIC, nanoseconds), secret, worker, route, status."""

ANSWER_SECONDS = 30.0
AGAIN_SECONDS = 0.1
REPORT_SECONDS = 0.05
PROBES_MAX = 20
ROUTES = (b"/read", b"/write")


class Load:
    """What is to be sent, and what came of it. `pause`: seconds between two requests of one connection."""

    def __init__(self) -> None:
        self._pause = 0.05
        self._texts: dict[int, bytes] = {}
        self._weights: dict[int, int] = {}
        self._records = bytearray()
        self._probes: list[asyncio.Queue[int]] = []
        self._turn = 0

    async def run(self, connections: int, ports: list[int]) -> None:
        """Send until the standard input ends."""
        lines = await commands()
        tasks = [asyncio.create_task(self._report())]
        for worker, port in enumerate(ports):
            for _ in range(connections):
                probes: asyncio.Queue[int] = asyncio.Queue(PROBES_MAX)
                self._probes.append(probes)
                tasks.append(asyncio.create_task(self._connect(worker, port, probes)))
        while line := await lines.readline():
            self._obey(json.loads(line))
        for task in tasks:
            task.cancel()

    def _obey(self, command: dict[str, Any]) -> None:
        match command:
            case {"secret": number, "text": text, "weight": weight}:
                self._texts[number] = text.encode()
                self._weights[number] = weight
            case {"forget": number}:
                del self._weights[number]
            case {"probe": number}:
                self._turn += 1
                for probes in self._probes[self._turn % 2 :: 2]:
                    with suppress(asyncio.QueueFull):
                        probes.put_nowait(number)
            case {"pause": seconds}:
                self._pause = seconds

    async def _connect(self, worker: int, port: int, probes: asyncio.Queue[int]) -> None:
        """Send requests for ever, one at a time, over a new connection where one breaks."""
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    while await self._exchange(worker, await self._next(probes), reader, writer):
                        pass
                finally:
                    writer.transport.abort()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _next(self, probes: asyncio.Queue[int]) -> int:
        """The number of a secret: one that is to be probed, at once; else any, by its weight, after a pause."""
        while True:
            try:
                async with asyncio.timeout(self._pause * random.uniform(0.5, 1.5)):
                    return await probes.get()
            except TimeoutError:
                if self._weights:
                    return random.choices([*self._weights], [*self._weights.values()])[0]

    async def _exchange(
        self, worker: int, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One request; answers whether the connection goes on."""
        route = random.randrange(2)
        head = b"GET %b HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %b\r\n\r\n" % (ROUTES[route], self._texts[number])
        began, status = time.monotonic_ns(), 0
        with suppress(OSError, EOFError, TimeoutError):
            writer.write(head)
            async with asyncio.timeout(ANSWER_SECONDS):
                status = await _read_answer(reader)
        self._records += RECORD.pack(began, time.monotonic_ns(), number, worker, route, status)
        return status != 0

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            records, self._records = self._records, bytearray()
            sys.stdout.buffer.write(records)
            sys.stdout.buffer.flush()


async def _read_answer(reader: asyncio.StreamReader) -> int:
    """Read a whole response; its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, rest = head.partition(b"content-length:")
    await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    return int(head[9:12])


if __name__ == "__main__":
    asyncio.run(Load().run(int(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
