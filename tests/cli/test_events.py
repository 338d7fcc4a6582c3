"""`gatepost keys events`: who changed what."""

import asyncio
import getpass
import re
import socket
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from gatepost import Actor, APIKeys
from gatepost.base.secret import secret_pattern
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
    assert {(line[6], line[7]) for line in lines} == {("shell", getpass.getuser())}, "whatever --actor says"
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
    monkeypatch.setattr("gatepost.cli.output.paging.PAGE_MAX", 2)
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


def test_the_log_is_filtered_and_what_it_tells_can_be_switched_off(run: Run, answer: Answer, database: str) -> None:
    leaked = answer("keys", "create", "admin", "-p", "ACCESS_MANAGE")["id"]
    before = answer("keys", "create", "before", "--project", "acme")["id"]

    async def use() -> tuple[str, str]:
        """What the key does over REST, say, and what it made does."""
        async with APIKeys(database) as keys:
            made = await keys.create("theirs", ["ACCESS_MANAGE"], actor=Actor.of(await keys.get(leaked)))
            await keys.rotate(before, grace=0, actor=Actor.of(await keys.get(leaked)))
            last = await keys.create("of theirs", actor=Actor.of(made.key))
            return made.key.id, last.key.id

    made, last = asyncio.run(use())
    assert run("keys", "events", "--by-key", leaked, "-q").stdout.split() == [before, made]
    assert run("keys", "events", "--by-key", leaked, "--kind", "rotated", "-q").stdout.split() == [before]
    assert run("keys", "events", "--project", "acme", "--by-kind", "shell", "-q").stdout.split() == [before]
    assert run("keys", "events", "--by-id", getpass.getuser(), "-q").stdout.split() == [before, leaked]
    assert run("keys", "events", "--since", "1h", "--all", "-q").stdout.split() == [last, before, made, leaked]
    assert run("keys", "events", "--until", "1h", "-q").stdout == ""
    assert answer("keys", "events", "--since", "2020-01-01", "--until", "2020-02-01")["items"] == []
    assert [key["id"] for key in answer("keys", "made-by", leaked)["items"]] == [last, made]
    assert [line.split("\t")[0] for line in run("keys", "made-by", leaked).stdout.splitlines()] == [last, made]

    found = run("keys", "made-by", leaked, "--all", "-q").stdout
    assert run("keys", "deactivate", leaked, "-", given=found).exit_code == 0
    assert [key["id"] for key in answer("keys", "list", "--active")["items"]] == [before]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--kind", "made"), "kind must be one of created"),
        (("--by-kind", "user"), "by_kind must be one of person"),
        (("--since", "yesterday"), "--since 'yesterday' must be a span back from now"),
        (("--until", "9999999w"), "--until"),
        (("--by-key", "4fT0aK9sQ2Lm", "--by-kind", "shell"), "leave those out"),
        (("-q", "--json"), "--quiet and --json"),
    ],
)
def test_a_wrong_filter_is_a_clear_error(run: Run, answer: Answer, options: Sequence[str], told: str) -> None:
    answer("keys", "create", "x")
    done = run("keys", "events", *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr


def test_who_somebody_is_stands_before_what_they_are_called(run: Run, terminal: Terminal, database: str) -> None:
    key_id = run("keys", "create", "x", "--actor", "key 4fT0aK9sQ2Lm").stdout.split()[1]
    _, shown = terminal("keys", "events", key_id)
    assert "shell key" in " ".join(shown.split())
