"""`gatepost policies …`, `keys expiring`."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Run, Terminal

Answer = Callable[..., Any]


def test_a_policy_is_set_shown_listed_and_deleted(run: Run, answer: Answer) -> None:
    told = answer("policies", "set", "--longest-lifetime", "90d", "--default-lifetime", "30d", "--idle-days", "60")
    assert (told["longest_lifetime"], told["default_lifetime"], told["idle_days"]) == (90 * 86400, 30 * 86400, 60)
    told = answer("policies", "set", "--project", "acme", "--environments", "live", "--permissions", "FILE_MOVE")
    assert (told["project"], told["environments"], told["permissions"]) == ("acme", ["live"], ["FILE_MOVE"])
    told = answer("policies", "set", "--idle-days", "any", "--permissions", "")
    assert (told["idle_days"], told["permissions"], told["longest_lifetime"]) == (None, [], 90 * 86400)
    shown = run("policies", "show").stdout.splitlines()
    assert "longest lifetime\t90d" in [line.replace("12w6d", "90d") for line in shown]
    assert "permissions\tnone" in shown
    rows = [line.split("\t") for line in run("policies", "list").stdout.splitlines()]
    assert [row[0] for row in rows] == ["(all keys)", "acme"]
    page = answer("policies", "list", "--limit", "1")
    assert [each["project"] for each in answer("policies", "list", "--after", page["next"])["items"]] == ["acme"]
    assert answer("policies", "delete", "--project", "acme") == {"deleted": True}
    assert answer("policies", "delete", "--project", "acme") == {"deleted": False}
    events = answer("keys", "events", "--kind", "policy")["items"]
    assert len(events) == 4
    assert {event["actor_kind"] for event in events} == {"shell"}


def test_what_a_policy_refuses_is_one_line_that_names_it(run: Run, answer: Answer) -> None:
    answer("policies", "set", "--project", "acme", "--most-active-keys", "1")
    answer("keys", "create", "a key", "--project", "acme", "--owner", "ann")
    refused = run("keys", "create", "a key", "--project", "acme", "--owner", "ann")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Error: owner 'ann' has 1 active keys already, and may have 1")
    assert "the policy of project 'acme'" in refused.stderr
    as_json = run("keys", "create", "a key", "--project", "acme", "--json")
    assert '"error":"policy_denied"' in as_json.stderr


def test_a_preview_tells_how_many_keys_do_not_fit_and_which(run: Run, answer: Answer) -> None:
    ids = sorted(answer("keys", "create", "a key")["id"] for _ in range(3))
    rows = run("policies", "preview", "--longest-lifetime", "90d", "--environments", "live,test").stdout.splitlines()
    assert [row.split("\t")[:2] for row in rows] == [["longest_lifetime", "3"], ["environments", "3"]]
    asked = ("policies", "preview", "--longest-lifetime", "90d", "--term", "longest_lifetime")
    assert run(*asked, "-q").stdout.split() == ids
    first = answer(*asked, "--limit", "2")["misfits"]["longest_lifetime"]
    assert (first["count"], first["ids"], first["next"]) == (3, ids[:2], ids[1])
    assert run(*asked, "-q", "--after", first["next"]).stdout.split() == ids[2:]
    assert "3 keys do not fit" in run(*asked).stderr
    assert answer("policies", "list")["items"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("set",),
        ("set", "--longest-lifetime", "long"),
        ("set", "--idle-days", "5d"),
        ("set", "--idle-days", "0"),
        ("set", "--environments", "prod"),
        ("set", "--permissions", "FILE_MOV"),
        ("set", "--project", "", "--idle-days", "5"),
        ("preview", "-q"),
        ("preview", "--term", "idle"),
        ("preview", "--after", "0123456789ab"),
        ("list", "--after", "acme"),
    ],
)
def test_what_cannot_be_is_one_clear_line(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("db", "upgrade").exit_code == 0
    done = run("policies", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def test_keys_that_end_soon_are_listed_the_first_first(run: Run, answer: Answer) -> None:
    late = answer("keys", "create", "late", "--expires", "20d")["id"]
    soon = answer("keys", "create", "soon", "--expires", "2d", "--owner", "ann")["id"]
    answer("keys", "create", "far", "--expires", "40d")
    answer("keys", "create", "never")
    assert run("keys", "expiring", "-q").stdout.split() == [soon, late]
    assert run("keys", "expiring", "-q", "--within", "7d").stdout.split() == [soon]
    assert [key["id"] for key in answer("keys", "expiring", "--owner", "ann")["items"]] == [soon]
    assert run("keys", "expiring", "--within", "soon").exit_code == 2
    assert run("keys", "expiring", "--state", "expired").exit_code == 2


def test_a_terminal_shows_a_table(terminal: Terminal, answer: Answer) -> None:
    answer("policies", "set", "--most-active-keys", "5")
    code, shown = terminal("policies", "list")
    assert (code, "(all" in shown) == (0, True)
    code, shown = terminal("policies", "show")
    assert (code, "most active keys" in shown) == (0, True)
