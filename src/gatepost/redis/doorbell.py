"""The doorbell in Redis: whoever changes keys rings, every worker hears, and polls. Nothing said there is believed.

    subscribe ─> rung at oneself ─> heard ─> a second of silence ─┐
                   ▲   └> not heard: deaf, and subscribed anew    │
                   └──────────────────────────────────────────────┘

A subscription can die without a word: its server hangs, a network forgets its connection, a failover leaves it with a
server that is the master no more. So after a silence a worker rings at itself, on the way that all who ring take, and
listens (docs/decisions/0040).
"""

import asyncio
from collections.abc import AsyncGenerator
from secrets import token_urlsafe
from typing import Any

from gatepost.base import Timeout
from gatepost.redis.cluster import Cluster
from gatepost.redis.single import Single

BEAT_SECONDS = 1.0
"""Silence after which a worker rings at itself, and how long it listens for that: one that is deaf knows it after two
seconds. One command a second and worker."""


class Doorbell:
    """One worker's. `prefix`: of the channels' names; `timeout`: seconds that one exchange may take."""

    def __init__(self, server: Single | Cluster, prefix: bytes, *, timeout: float) -> None:
        self._server = server
        self._timeout = timeout
        self._channel = prefix + b"nudge"
        self._own = prefix + b"nudge:" + token_urlsafe(9).encode()

    async def ring(self) -> None:
        """Have every worker that listens hear. Raises what redis-py raises, or `TimeoutError`."""
        await self._publish(self._channel)

    async def nudges(self) -> AsyncGenerator[None, None]:
        """An item once it is certain that nudges are heard, one a nudge, and one where some may have been missed. Ends
        where nothing is heard any more; raises what redis-py raises, or `TimeoutError`."""
        async with Timeout(self._timeout):
            subscription = await self._server.subscription()
        async with subscription:
            async with Timeout(self._timeout):
                await subscription.subscribe(self._channel, self._own)
            await self._publish(self._own)
            awaited = True
            task = asyncio.current_task()
            while task is None or not task.cancelling():  # redis-py can lose a cancellation
                message = await _next(subscription, Timeout(BEAT_SECONDS) if awaited else asyncio.timeout(BEAT_SECONDS))
                if message is not None and message["channel"] == self._own:
                    awaited &= message["type"] != "message"
                elif message is not None:
                    yield  # a nudge; or redis-py has subscribed, for the first time or anew
                elif awaited:
                    return
                else:
                    await self._publish(self._own)
                    awaited = True

    async def _publish(self, channel: bytes) -> None:
        async with Timeout(self._timeout):
            await self._server.client.execute_command("PUBLISH", channel, b"")


async def _next(subscription: Any, within: Timeout | asyncio.Timeout) -> Any | None:
    """The next message; `None` where there is none in time."""
    try:
        async with within:
            return await subscription.get_message(timeout=None)
    except TimeoutError:
        return None
