"""A process with many workers in it that only poll.

Run: `python -m benchmarks.revocation.simulated database count`.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

from gatepost import APIKeys


async def main(database: str, workers: int) -> None:
    """Hold a lease in each until the standard input ends."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    async with AsyncExitStack() as stack:
        for _ in range(workers):
            await (await stack.enter_async_context(APIKeys(database))).serve()
        print("serving", flush=True)
        await reader.read()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
