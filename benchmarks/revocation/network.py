"""A process with the network in it: proxies between workers and servers, told what to do over its standard input.

Run with the proxies as arguments, each `name=port` of the server. Prints a JSON object with the port of each, then
obeys a line at a time: `name verb seconds`, the verb one of `Proxy`'s.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

from tests.servers.proxy import proxied


async def main() -> None:
    """Pass bytes until the standard input ends."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    async with AsyncExitStack() as stack:
        proxies = {}
        for word in sys.argv[1:]:
            name, _, port = word.partition("=")
            proxies[name] = await stack.enter_async_context(proxied(("127.0.0.1", int(port))))
        print(json.dumps({name: proxy.port for name, proxy in proxies.items()}), flush=True)
        while line := await reader.readline():
            name, verb, *seconds = line.decode().split()
            getattr(proxies[name], verb)(*map(float, seconds))


if __name__ == "__main__":
    asyncio.run(main())
