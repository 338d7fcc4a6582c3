"""`gatepost templates …`, `gatepost keys issue`."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import make_url

from gatepost import APIKeys
from tests.cli.conftest import Run, Terminal

Answer = Callable[..., Any]


def test_a_template_is_made_shown_edited_switched_and_deleted(run: Run, answer: Answer) -> None:
    answer("keys", "create", "x", "-p", "FILE_UPLOAD")
    words = ("-p", "FILE_UPLOAD,OBJECTS_LIST", "--lifetime", "20m", "--origin", "https://a.example", "--public")
    made = answer("templates", "create", "a widget", *words, "--limit", "day=5/day")
    assert (made["lifetime"], made["origins"], made["public"]) == (1200, ["https://a.example"], True)
    assert (made["permissions"], made["limits"][0]["units"]) == (["FILE_UPLOAD", "OBJECTS_LIST"], 5)
    assert answer("templates", "show", made["id"]) == made
    assert "https://a.example" in run("templates", "show", made["id"]).stdout
    assert [each["id"] for each in answer("templates", "list")["items"]] == [made["id"]]
    assert made["id"] in run("templates", "list").stdout
    assert made["id"] not in run("keys", "list").stdout
    edited = answer("templates", "edit", made["id"], "--origin", "", "--private", "--lifetime", "60")
    assert (edited["lifetime"], edited["origins"], edited["public"]) == (60, None, False)
    issued = answer("keys", "issue", made["id"], "-p", "FILE_UPLOAD", "--lifetime", "30s", "--subject", "ann")
    assert issued["secret"].startswith("gpt_")
    assert (issued["key_id"], issued["permissions"], issued["subject"]) == (made["id"], ["FILE_UPLOAD"], "ann")
    quiet = run("keys", "issue", made["id"], "--quiet").stdout.strip()
    assert quiet.startswith("gpt_")
    told = run("keys", "whoami", "--json", given=quiet)
    assert '"valid"' in told.stdout
    assert run("templates", "deactivate", made["id"]).exit_code == 0
    assert "key_deactivated" in run("keys", "whoami", "--json", given=quiet).stdout
    assert run("templates", "activate", made["id"]).exit_code == 0
    assert run("templates", "rotate", made["id"]).exit_code == 0
    assert "key_invalid" in run("keys", "whoami", "--json", given=quiet).stdout
    assert run("templates", "delete", made["id"]).exit_code == 0
    assert answer("templates", "list")["items"] == []


def test_a_template_is_made_and_edited_with_all_that_a_key_can_be(run: Run, answer: Answer) -> None:
    answer("keys", "create", "x")
    answer("roles", "create", "reader", "-p", "OBJECTS_LIST")
    words = ("--role", "reader", "--expires", "2090-01-31", "--environment", "test", "--metadata", '{"plan":"pro"}')
    made = answer("templates", "create", "w", *words, "--owner", "ann", "--project", "acme", "--inactive")
    assert (made["roles"], made["permissions"], made["active"]) == (["reader"], ["OBJECTS_LIST"], False)
    assert (made["expires_at"], made["environment"], made["metadata"]) == (
        "2090-01-31T00:00:00Z",
        "test",
        {"plan": "pro"},
    )
    assert (made["owner"], made["project"], made["lifetime"]) == ("ann", "acme", 3600)
    shown = run("templates", "show", made["id"]).stdout.splitlines()
    for line in ("roles\treader", "owner\tann", 'metadata\t{"plan":"pro"}', "lifetime\t3600", "public\tFalse"):
        assert line in shown
    others = ("--description", "widget", "--owner", "bob", "--never-expires", "--role", "", "-p", "FILE_UPLOAD")
    edited = answer("templates", "edit", made["id"], *others, "--metadata", "{}", "--lifetime", "5m")
    assert (edited["description"], edited["owner"], edited["expires_at"]) == ("widget", "bob", None)
    assert (edited["roles"], edited["permissions"], edited["metadata"]) == ([], ["FILE_UPLOAD"], {})
    assert (edited["lifetime"], edited["environment"], edited["project"]) == (300, "test", "acme")
    assert answer("templates", "edit", made["id"], "--expires", "2091-01-01", "--owner", "")["owner"] is None
    kept = answer("templates", "show", made["id"])
    assert (kept["expires_at"], kept["lifetime"], kept["description"]) == ("2091-01-01T00:00:00Z", 300, "widget")
    for wrong in ("", "--expires 1d --never-expires", "--allow 10.0.0.0/8 --anywhere", "--role no", "--origin x"):
        assert run("templates", "edit", made["id"], *wrong.split()).exit_code in {2, 3}, wrong
    assert answer("templates", "show", made["id"]) == kept


def test_templates_are_listed_by_what_they_are_page_after_page(run: Run, answer: Answer) -> None:
    answer("keys", "create", "x", "--owner", "ann")
    ids = [answer("templates", "create", f"w {number}", "--owner", "ann")["id"] for number in range(3)]
    public = answer("templates", "create", "z", "--owner", "bob", "--public", "--origin", "https://a.example")
    assert answer("templates", "list", "--owner", "bob") == {"items": [public], "next": None, "previous": None}
    assert (public["lifetime"], public["origins"], public["public"]) == (3600, ["https://a.example"], True)
    assert run("templates", "list", "--owner", "ann", "-q").stdout.split() == ids[::-1]
    first = run("templates", "list", "--owner", "ann", "-q", "--limit", "2")
    assert first.stdout.split() == ids[:0:-1]
    assert "There are more: go on with --after" in first.stderr
    after = answer("templates", "list", "--owner", "ann", "--limit", "2")["next"]
    assert after in first.stderr
    second = answer("templates", "list", "--owner", "ann", "--limit", "2", "--after", after)
    assert ([each["id"] for each in second["items"]], second["next"]) == (ids[:1], None)
    back = answer("templates", "list", "--owner", "ann", "--limit", "2", "--before", second["previous"])
    assert [each["id"] for each in back["items"]] == ids[:0:-1]
    every = run("templates", "list", "--all", "--limit", "1", "-q", "--sort", "description")
    assert (every.stdout.split(), every.stderr) == ([*ids, public["id"]], "")
    assert run("templates", "list", "--all", "--before", after).exit_code == 2
    assert run("templates", "list", "-q", "--json").exit_code == 2
    piped = run("keys", "deactivate", "-", given=run("templates", "list", "--owner", "ann").stdout)
    assert piped.stdout.count("deactivated") == 3
    assert run("templates", "list", "--inactive", "-q").stdout.split() == ids[::-1]


def test_a_key_is_no_template(run: Run, answer: Answer) -> None:
    key_id = answer("keys", "create", "x")["id"]
    for words in (("show", key_id), ("delete", key_id), ("rotate", key_id)):
        assert run("templates", *words).exit_code != 0
    assert run("keys", "issue", key_id).exit_code == 0
    wrong = run("keys", "issue", key_id, "--lifetime", "2d")
    assert (wrong.exit_code, "1 to 86400" in wrong.stderr) == (2, True)


def test_a_list_of_templates_tells_how_long_what_is_issued_lives_and_who_gets_one(
    run: Run, answer: Answer, terminal: Terminal
) -> None:
    answer("keys", "create", "x")
    answer("templates", "create", "b", "--lifetime", "20m", "--public")
    answer("templates", "create", "a", "--lifetime", "45")
    rows = [row.split("\t") for row in run("templates", "list", "--sort", "description").stdout.splitlines()]
    assert [(row[3], *row[-2:]) for row in rows] == [("a", "45", "no"), ("b", "1200", "yes")]
    exit_code, shown = terminal("templates", "list", "--sort", "description")
    assert (exit_code, "LIFETIME" in shown, "45s" in shown, "20m" in shown) == (0, True, True, True)


@pytest.mark.parametrize("words", [("edit", "--lifetime", "5m"), ("rotate",), ("deactivate",), ("delete",)])
def test_a_change_of_a_template_is_waited_for_no_longer_than_is_said(
    run: Run, answer: Answer, database: str, words: tuple[str, ...]
) -> None:
    answer("keys", "create", "x")
    ids = [answer("templates", "create", "w")["id"] for _ in range(2)]
    asyncio.run(_die(database))
    late = run("templates", *words, ids[0], "--timeout", "0.1")
    assert (late.exit_code, "committed" in late.stderr) == (6, True), late.stderr
    assert run("templates", *words, ids[1], "--no-wait").exit_code == 0


async def _die(url: str) -> None:
    """A worker that is never heard of again: its row is there, and its lease has to run out."""
    async with APIKeys(url, poll_interval=1000, max_staleness=3000) as keys:
        await keys.serve()
        rows = _workers(url, "SELECT * FROM gatepost_workers")
    _workers(url, f"INSERT INTO gatepost_workers VALUES ({', '.join('?' * len(rows[0]))})", rows[0])


def _workers(url: str, statement: str, values: Sequence[Any] = ()) -> Sequence[Any]:
    with closing(sqlite3.connect(str(make_url(url).database))) as connection, connection:
        return connection.execute(statement, values).fetchall()
