"""A deliverer that is killed in the middle: another takes over, nothing is lost, and each key's order holds."""

import asyncio
import sys
from collections import defaultdict

import orjson
import pytest

from gatepost import APIKeys
from gatepost.webhooks import deliverer
from tests.servers.receiver import HANG, Received, receiving
from tests.webhooks.conftest import SECRET, arrived, delivering, ids, target
from tests.webhooks.killed import LEASE

KEYS, CHANGES = 4, 6


@pytest.fixture(params=["ready_sqlite_url", "ready_postgres_url"])
def url(request: pytest.FixtureRequest) -> str:
    """A database that several processes can have."""
    found: str = request.getfixturevalue(request.param)
    return found


async def test_a_deliverer_killed_in_the_middle_loses_nothing_and_another_takes_over(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("LEASE_SECONDS", LEASE), ("RENEW_SECONDS", LEASE / 3), ("SEND_SECONDS_MAX", LEASE / 3)):
        monkeypatch.setattr(deliverer, name, seconds)

    def answer(_request: Received) -> int:
        return 204 if len(receiver.received) < 7 or child.returncode is not None else HANG

    async with receiving() as receiver, APIKeys(url) as keys:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.webhooks.killed", url, f"{receiver.url}/hooks", SECRET, stdout=-1
        )
        try:
            assert child.stdout is not None
            assert await child.stdout.readline() == b"ready\n"
            receiver.answer = answer
            issued = [await keys.create(f"key {number}") for number in range(KEYS)]
            for number in range(CHANGES):
                for each in issued:
                    await keys.update(each.key.id, description=f"change {number}")
            await receiver.wait_for(8)
        finally:
            child.kill()
            await child.wait()
        before = len(receiver.received)
        async with delivering(keys, target(receiver)) as webhooks:
            await arrived(webhooks)
    orders = defaultdict(list)
    seen: set[str] = set()
    for request, message in zip(receiver.received, ids(receiver.received), strict=True):
        if message not in seen:
            seen.add(message)
            orders[orjson.loads(request.body)["data"]["key_id"]].append(orjson.loads(request.body)["data"]["seq"])
    assert len(seen) == KEYS * (1 + CHANGES)
    assert all(order == sorted(order) for order in orders.values())
    repeated = len(receiver.received) - len(seen)
    assert 1 <= repeated <= before  # what was under way came again, and only that
    assert repeated <= 2 * deliverer.AT_ONCE
