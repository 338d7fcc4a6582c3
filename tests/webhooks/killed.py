"""A process that delivers until it is killed: `python -m tests.webhooks.killed DATABASE URL SECRET`."""

import asyncio
import sys

from gatepost import APIKeys
from gatepost.webhooks import Target, Webhooks, deliverer

LEASE = 3.0


def hasten() -> None:
    """Let a lease be short, so that nobody waits for it long."""
    for name, seconds in (("LEASE_SECONDS", LEASE), ("RENEW_SECONDS", LEASE / 3), ("SEND_SECONDS_MAX", LEASE / 3)):
        setattr(deliverer, name, seconds)


async def main(database: str, url: str, secret: str) -> None:
    """Say that it is ready, and deliver."""
    hasten()
    async with APIKeys(database) as keys:
        one = Target(name="one", url=url, secret=secret, allow_private=True, timeout=LEASE / 3)
        async with Webhooks(keys, [one], poll_interval=0.02) as webhooks:
            while not await webhooks.status():  # noqa: ASYNC110 - in the database
                await asyncio.sleep(0.02)
            print("ready", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
