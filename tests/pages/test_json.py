"""The JSON on pages is what is really said and taken."""

from dataclasses import fields

import orjson
import pytest

from gatepost import Actor, APIKeys, ImportedKey, Outcome
from gatepost.asgi.responses import Problem
from gatepost.base.limits import limit_as_json, limits_of_json
from gatepost.webhooks.messages import message_of
from tests.pages.reading import of

COUNTS = {"docs/command.md": 1, "docs/limits.md": 2, "docs/mcp.md": 1, "docs/retention.md": 1, "docs/webhooks.md": 1}
"""Pages with JSON, and how many blocks: all of them are below."""


def shown(page: str) -> list[object]:
    """What the blocks of a page say."""
    return [orjson.loads(block.text) for block in of("json", page=page)]


def test_each_block_of_json_is_looked_at() -> None:
    found = [block.page for block in of("json")]
    assert {page: found.count(page) for page in found} == COUNTS


def test_an_import_has_members_that_there_are() -> None:
    (line,) = shown("docs/command.md")
    assert isinstance(line, dict)
    assert line.keys() <= {each.name for each in fields(ImportedKey)}


def test_a_limit_that_is_used_up_is_told_so() -> None:
    refused, limits = shown("docs/limits.md")
    assert isinstance(refused, dict)
    extra = {name: refused[name] for name in ("type", "violated-policies")}
    assert Problem(Outcome.LIMIT_EXCEEDED, extra).members == refused
    assert [limit_as_json(each) for each in limits_of_json(limits)] == limits


def test_a_client_of_mcp_is_told_so() -> None:
    (answer,) = shown("docs/mcp.md")
    members = Problem(Outcome.DEACTIVATED).members
    assert answer == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32050, "message": members["detail"], "data": members},
    }


@pytest.mark.parametrize("page", ["docs/retention.md", "docs/webhooks.md"])
async def test_a_change_is_told_so(page: str, ready_sqlite_url: str) -> None:
    (told,) = shown(page)
    assert isinstance(told, dict)
    async with APIKeys(ready_sqlite_url) as keys:
        issued = await keys.create("a key", project="acme")
        actor = Actor("Maria", id="17", operator=True, address="192.0.2.7")
        await keys.deactivate(issued.key.id, actor=actor)
        if page == "docs/retention.md":
            lines = [orjson.loads(line) async for line in keys.audit_log.export()]
            assert list(lines[-1]) == list(told)
            assert {name: lines[-1][name] for name in ("detail", "actor_kind", "kind", "address")} == {
                name: told[name] for name in ("detail", "actor_kind", "kind", "address")
            }
            return
        event = (await keys.events(issued.key.id)).items[0]
    message = message_of(event, 1, None, None)
    assert message is not None
    made = orjson.loads(message.body)
    assert list(made) == list(told)
    assert list(made["data"]) == list(told["data"])
    assert made["data"] | {"key_id": told["data"]["key_id"], "seq": told["data"]["seq"]} == told["data"]
