"""Keys, receivers on loopback, and deliverers that look often."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from gatepost import APIKeys
from gatepost.webhooks import LogTarget, Target, Webhooks
from tests.servers.receiver import Received, Receiver

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
POLL = 0.02
STUCK = 1000
"""Looks without any change after which nothing is going to change."""


@pytest.fixture
async def keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh SQLite file."""
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, max_staleness=300) as keys:
        yield keys


def target(receiver: Receiver, name: str = "one", **more: Any) -> Target:
    """The receiver as a target, on loopback."""
    settings: dict[str, Any] = {"secret": SECRET, "allow_private": True, "url": f"{receiver.url}/hooks"} | more
    return Target(name=name, **settings)


@asynccontextmanager
async def delivering(keys: APIKeys, *targets: Target | LogTarget, **more: Any) -> AsyncIterator[Webhooks]:
    """Webhooks that are at work: what happens from here on is told."""
    async with Webhooks(keys, targets, poll_interval=POLL, **more) as webhooks:
        names = {each.name for each in targets}
        while not names <= {each.name for each in await webhooks.status()}:  # noqa: ASYNC110 - in the database
            await asyncio.sleep(POLL)
        yield webhooks


async def arrived(webhooks: Webhooks) -> None:
    """Return once nothing is on its way any more. What has not moved for very many looks never will: pytest's own limit
    of time may end a task of the deliverer's in place of the test."""
    looks, before = 0, None
    while looks < STUCK:
        states = [(each.name, each.waiting, each.behind, each.dead) for each in await webhooks.status()]
        if not any(waiting or behind for _, waiting, behind, _ in states):
            return
        looks, before = (looks + 1, before) if states == before else (0, states)
        await asyncio.sleep(POLL)
    pytest.fail(f"stuck: {before}")


def verified(received: Received, secret: str = SECRET) -> dict[str, Any]:
    """What was sent, if its signature is right by the implementation of Standard Webhooks' own authors."""
    Webhook(secret).verify(received.body.decode(), dict(received.headers))
    told: dict[str, Any] = orjson.loads(received.body)
    return told


def ids(received: Sequence[Received]) -> list[str]:
    """Of the messages."""
    return [each.headers["webhook-id"] for each in received]
