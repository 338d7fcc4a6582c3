"""On the page: what a policy refuses is told beside the field, and nothing is made."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.admin.page.served import Served
from tests.admin.page.test_http import at, found

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_a_policy_refuses_is_told_beside_its_field(served: Served) -> None:
    boss = await served.boss()
    soon = datetime.now(UTC) + timedelta(days=1)
    old = await served.keys.create("old", owner="ann", environment="live", expires_at=soon)
    off = await served.keys.create("off", owner="ann", environment="live", expires_at=soon, active=False)
    await served.keys.policies.set(
        longest_lifetime=30 * 86400, environments=["live"], most_active_keys=1, longest_grace=60.0
    )
    async with at(served) as client:
        await client.sign_in(boss.secret)
        page = (await client.get("new")).text
        fields: dict[str, Any] = {name: found(page, name) for name in ("csrf_token", "idempotency_key")}
        fields |= {"description": "a key", "owner": "bob", "environment": "live"}
        for wrong, field, word in (
            ({"expires": "90"}, "expires_at", "within 30 days"),
            ({"expires": "never"}, "expires_at", "not never"),
            ({"expires": "7", "environment": ""}, "environment", "must be live"),
            ({"expires": "7", "owner": "ann"}, "owner", "has 1 active keys already"),
            ({"expires": "7", "owner": ""}, "owner", "must be named"),
        ):
            answer = await client.post("new", {**fields, **wrong})
            assert answer.status_code == 400
            assert f'id="{field}-error"' in answer.text
            assert word in answer.text
            assert "the company-wide policy" in answer.text
        path = f"keys/{old.key.id}/rotate"
        form = (await client.get(path)).text
        hidden: dict[str, Any] = {name: found(form, name) for name in ("csrf_token", "version")}
        refused = await client.post(path, hidden | {"grace": "3600"})
        assert refused.status_code == 400
        assert "race must be at most 60 seconds" in refused.text
        on = await client.post("change", {"csrf_token": fields["csrf_token"], "verb": "activate", "id": [off.key.id]})
        assert "the company-wide policy" in on.text
        assert (await client.post("new", {**fields, "expires": "7"})).status_code == 200
        log = (await client.get("log")).text
        assert "Policy changed" in log
    found_keys = {key.description: key.active for key in (await served.keys.list()).items}
    assert found_keys == {"a key": True, "old": True, "off": False, "the boss": True}
