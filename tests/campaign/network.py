"""A process with the network in it: proxies between workers and servers, told what to do over its standard input.

Run with the proxies as arguments, each `name=port` of the server. Prints a JSON object with the port of each, then
obeys a line at a time: `name verb seconds`, the verb one of `Proxy`'s.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

from tests.servers.child import commands
from tests.servers.proxy import proxied


async def main() -> None:
    """Pass bytes until the standard input ends."""
    lines = await commands()
    async with AsyncExitStack() as stack:
        proxies = {}
        for name, port in (word.split("=") for word in sys.argv[1:]):
            proxies[name] = await stack.enter_async_context(proxied(("127.0.0.1", int(port))))
        print(json.dumps({name: proxy.port for name, proxy in proxies.items()}), flush=True)
        while line := await lines.readline():
            name, verb, *seconds = line.decode().split()
            getattr(proxies[name], verb)(*map(float, seconds))


if __name__ == "__main__":
    asyncio.run(main())
