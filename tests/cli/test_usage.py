"""`gatepost keys usage`, `keys stale`, `db prune`."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gatepost import APIKeys, Outcome
from tests.cli.conftest import Run

Answer = Callable[..., Any]


@pytest.fixture
def used(answer: Answer, database: str) -> str:
    """The id of a key that was used today and long ago."""
    key_id: str = answer("keys", "create", "a key")["id"]

    async def use() -> None:
        async with APIKeys(database) as keys:
            assert keys.uses is not None
            now = keys.uses.clock()
            for days, outcome, times in ((0, Outcome.VALID, 3), (0, Outcome.DEACTIVATED, 2), (300, Outcome.VALID, 1)):
                for _ in range(times):
                    client = ("192.0.2.7", 1)
                    keys.uses.count(outcome, key_id, bytes(32), now - days * 86400, "/a/{id}", client)
            keys.uses.count(Outcome.MISSING, "", b"", now, "", None)

    asyncio.run(use())
    return key_id


def test_usage_is_told_by_what_was_asked_for(run: Run, answer: Answer, used: str) -> None:
    told = answer("keys", "usage", used, "--by", "outcome", "--by", "route")["items"]
    assert [(line["outcome"], line["route"], line["count"]) for line in told] == [
        ("valid", "/a/{id}", 4),
        ("key_deactivated", "/a/{id}", 2),
    ]
    assert told[0]["last_address"] == "192.0.2.7"
    assert "day" not in told[0]
    assert [line["count"] for line in answer("keys", "usage", used, "--since", "7d")["items"]] == [5]
    [line] = answer("keys", "usage", "--no-key", "--by", "outcome")["items"]
    assert (line["outcome"], line["count"]) == ("key_missing", 1)
    lines = run("keys", "usage", used).stdout.splitlines()
    assert [line.split("\t")[1] for line in lines] == ["5", "1"]
    assert answer("keys", "show", used)["last_used_at"] is not None


def test_what_is_asked_wrongly_is_one_clear_line(run: Run, used: str) -> None:
    for arguments, said in (
        ((), "Name the key by its id, or keys by --owner, --environment or --metadata, or say --no-key"),
        (
            (used, "--no-key"),
            "Name the key by its id, or keys by --owner, --environment or --metadata, or say --no-key",
        ),
        ((used, "--by", "week"), "by must be of day, route, outcome, secret, not 'week'"),
        ((used, "--since", "soon"), "--since 'soon' must be a span"),
    ):
        result = run("keys", "usage", *arguments)
        assert result.exit_code == 2
        assert said in result.stderr


def test_stale_keys_are_those_that_nobody_uses_and_that_are_old_enough(run: Run, answer: Answer, used: str) -> None:
    assert answer("keys", "stale")["items"] == [], "made just now"
    assert [key["id"] for key in answer("keys", "stale", "--never-used")["items"]] == []
    assert [key["id"] for key in answer("keys", "list", "--unused-for", "0")["items"]] == [used]
    assert run("keys", "stale", "--unused-for", "0", "-q").stdout.split() == [used]


def test_old_usage_is_pruned(run: Run, answer: Answer, used: str) -> None:
    assert answer("db", "prune")["usage"] == {"rolled_up": 1, "removed": 0}
    assert [line["by_month"] for line in answer("keys", "usage", used)["items"]] == [False, True]
    assert "1 rows were removed" in run("db", "prune", "--usage-months", "3").stdout
    assert "days must be a whole number, 1 to 3660" in run("db", "prune", "--usage-days", "0").stderr
