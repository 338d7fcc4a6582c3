"""`gatepost keys events`: who changed what."""

import getpass
import re
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from gatepost.secret import secret_pattern
from tests.cli.conftest import Run, Terminal

Answer = Callable[..., Any]


def test_a_line_tells_when_who_from_where_what_and_old_and_new(run: Run, answer: Answer) -> None:
    key_id = answer("keys", "create", "nightly", "-p", "FILE_MOVE", "--actor", "Ada")["id"]
    run("keys", "edit", key_id, "--description", "hourly", "-p", "")
    run("keys", "deactivate", key_id)
    run("keys", "rotate", key_id, "--grace", "1h")
    lines = [line.split("\t") for line in run("keys", "events", key_id).stdout.splitlines()]
    assert [line[3] for line in lines] == ["rotated", "deactivated", "updated", "created"]
    assert [line[1] for line in lines] == [getpass.getuser()] * 3 + ["Ada"]
    assert {line[2] for line in lines} == {socket.gethostname()}
    assert {line[4] for line in lines} == {key_id}
    assert all(datetime.fromisoformat(line[0]).utcoffset() == timedelta(0) for line in lines)
    rotated, deactivated, updated, created = (line[5] for line in lines)
    assert re.fullmatch(r"hint: \S+ -> \S+; grace_seconds: 3600", rotated)
    assert deactivated == "active: yes -> no"
    assert updated == "description: nightly -> hourly; permissions: FILE_MOVE -> none"
    assert created == "description: nightly; permissions: FILE_MOVE; project: none; active: yes; expires_at: none"


def test_the_log_of_all_keys_goes_on_page_by_page(run: Run, answer: Answer) -> None:
    ids = [answer("keys", "create", f"key {number}")["id"] for number in range(3)]
    run("keys", "delete", ids[0], "--yes")
    every = answer("keys", "events", "--all")
    assert every["next"] is None
    kinds = [(event["kind"], event["key_id"]) for event in every["items"]]
    assert kinds[:4] == [("deleted", ids[0]), *(("created", key_id) for key_id in reversed(ids))]

    first = answer("keys", "events", "--limit", "2")
    second = answer("keys", "events", "--limit", "2", "--after", first["next"])
    assert first["items"] + second["items"] == every["items"][:4]
    assert f"--after {first['next']}" in run("keys", "events", "--limit", "2").stderr


def test_all_walks_more_than_the_longest_page(run: Run, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        run("keys", "create", f"key {number}")
    whole = answer("keys", "events", "--all")
    monkeypatch.setattr("gatepost.cli.paging.PAGE_MAX", 2)
    assert answer("keys", "events", "--all") == whole


def test_a_deleted_key_still_has_its_events_and_one_that_never_was_has_none(run: Run, answer: Answer) -> None:
    key_id = answer("keys", "create", "x")["id"]
    run("keys", "delete", key_id, "--yes")
    assert [event["kind"] for event in answer("keys", "events", key_id)["items"]] == ["deleted", "created"]
    done = run("keys", "events", "000000000000")
    assert (done.exit_code, done.stdout) == (3, "")


def test_the_log_holds_no_secret(run: Run) -> None:
    made = run("keys", "create", "x", "--quiet").stdout.strip()
    run("keys", "rotate", made.split("_")[1], "--grace", "0", "--quiet")
    shown = run("keys", "events").output + run("keys", "events", "--json").output
    assert "rotated" in shown
    assert not re.search(secret_pattern(), shown)
    assert made.rpartition("_")[2] not in shown


def test_a_terminal_shows_a_table_of_80_columns_whose_changes_are_whole(run: Run, terminal: Terminal) -> None:
    description = " ".join(f"[red]word{number}[/]" for number in range(14))
    key_id = run("keys", "create", description, "--actor", "A" * 200).stdout.split()[1]
    code, shown = terminal("keys", "events", key_id)
    head, *lines = shown.splitlines()
    assert code == 0
    assert head.split() == ["WHEN", "WHO", "FROM", "WHAT", "KEY", "CHANGE"]
    assert all(len(line) <= 80 for line in (head, *lines))
    change = "".join(line[head.index("CHANGE") :].strip() for line in lines)
    assert description.replace(" ", "") in change.replace(" ", "")
