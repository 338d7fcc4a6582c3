"""`gatepost keys import` and `export`."""

import asyncio
import csv
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatepost import Outcome
from tests.cli.conftest import Run, Shell, Terminal
from tests.cli.test_keys import outcome_of

Answer = Callable[..., Any]


def digest(secret: str) -> str:
    """What an import holds of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def line(secret: str, description: str = "x", **values: Any) -> str:
    """A line of an import."""
    return orjson.dumps({"digest": digest(secret), "description": description, **values}).decode() + "\n"


def test_what_is_imported_opens_an_app_that_looks_it_up_and_comes_out_again(
    run: Run, answer: Answer, database: str, tmp_path: Path
) -> None:
    run("db", "upgrade")
    asked: list[dict[str, Any]] = [
        {"description": "one", "permissions": ["FILE_MOVE"], "project": "acme", "hint": "old_1...z"},
        {"description": "=two", "permissions": [], "project": None, "active": False},
        {"description": "three", "expires_at": "2130-01-31T00:00:00Z", "permissions": ["DIR_MOVE", "FILE_MOVE"]},
    ]
    file = tmp_path / "keys.jsonl"
    file.write_text("".join(line(f"secret {number}", **each) for number, each in enumerate(asked)))
    made = answer("keys", "import", str(file))["items"]
    assert [{name: key[name] for name in each} for key, each in zip(made, asked, strict=True)] == asked

    outcomes = [asyncio.run(outcome_of(database, f"secret {n}", foreign_secrets=True)) for n in range(3)]
    assert outcomes == [Outcome.VALID, Outcome.DEACTIVATED, Outcome.VALID]
    assert asyncio.run(outcome_of(database, "secret 0")) is Outcome.INVALID

    exported = [orjson.loads(each) for each in run("keys", "export", "--sort", "description").stdout.splitlines()]
    derived = {"own_permissions", "role_resources"}
    told = [{name: each[name] for name in each if name not in derived} for each in made]
    assert exported == sorted(told, key=lambda key: str(key["description"]))
    rows = list(csv.DictReader(io.StringIO(run("keys", "export", "--format", "csv").stdout)))
    assert {row["description"] for row in rows} == {"one", "'=two", "three"}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_keys_with_roles_come_out_and_in_again_where_there_are_the_same_roles(
    run: Run, answer: Answer, tmp_path: Path, form: str
) -> None:
    run("db", "upgrade")
    other = ("--database", f"sqlite:///{tmp_path / 'other.db'}")
    run("db", "upgrade", *other)
    answer("roles", "create", "editor", "-p", "FILE_UPLOAD")
    answer("roles", "create", "reader", "-p", "OBJECTS_LIST", "--project", "acme")
    words = ("--role", "editor,reader", "--project", "acme", "-p", "DIR_CREATE")
    key = answer("keys", "create", "one", *words)
    assert key["permissions"] == ["DIR_CREATE", "FILE_UPLOAD", "OBJECTS_LIST"]
    text = run("keys", "export", "--format", form).stdout
    if form == "jsonl":
        told = orjson.loads(text)
        given = line("one", told["description"], **{name: told[name] for name in ("permissions", "roles", "project")})
    else:
        (row,) = csv.DictReader(io.StringIO(text))
        cells = {"digest": digest("one")} | {
            name: row[name] for name in ("description", "permissions", "roles", "project")
        }
        given = ",".join(cells) + "\n" + ",".join(cells.values()) + "\n"
    done = run("keys", "import", "-", "--format", form, *other, given=given)
    number = 1 if form == "jsonl" else 2
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: standard input, line {number}: there is no role 'editor' for keys of project 'acme': make it first: "
        "roles.create(), gatepost roles create\n"
    )
    assert answer("keys", "count", *other)["number"] == 0
    answer("roles", "create", "editor", "-p", "FILE_MOVE", *other)
    answer("roles", "create", "reader", "-p", "OBJECTS_LIST", *other)
    (made,) = answer("keys", "import", "-", "--format", form, *other, given=given)["items"]
    assert made["permissions"] == ["DIR_CREATE", "FILE_MOVE", "OBJECTS_LIST"]
    assert (made["own_permissions"], made["roles"]) == (["DIR_CREATE"], ["editor", "reader"])
    answer("roles", "edit", "editor", "-p", "", *other)
    assert answer("keys", "show", made["id"], *other)["permissions"] == ["DIR_CREATE", "OBJECTS_LIST"]


def test_csv_is_imported_from_a_file_and_from_standard_input(run: Run, answer: Answer, tmp_path: Path) -> None:
    run("db", "upgrade")
    file = tmp_path / "keys.csv"
    file.write_text(f"description,digest,permissions\nfirst,{digest('1')},FILE_MOVE DIR_MOVE\nsecond,{digest('2')},\n")
    done = run("keys", "import", str(file))
    assert done.exit_code == 0
    assert [row.split("\t")[3:5] for row in done.stdout.splitlines()] == [
        ["first", "DIR_MOVE,FILE_MOVE"],
        ["second", ""],
    ]
    assert "foreign_secrets=True" in done.stderr
    done = run("keys", "import", "-", "--format", "csv", "-q", given=f"digest,description\n{digest('3')},third\n")
    assert answer("keys", "show", done.stdout.strip())["description"] == "third"
    assert [event["kind"] for event in answer("keys", "events")["items"]][:3] == ["imported"] * 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("nonsense\n", "standard input, line 4: it is no JSON object"),
        (line("b", ""), "standard input, line 4: description must be"),
        (line("b", permissions=["FILE_MOV"]), "standard input, line 4: No permission 'FILE_MOV'"),
        (line("b", permissions=[5]), "standard input, line 4: a permission's name must be a str"),
        (line("b", expires_at="2020-01-01"), "standard input, line 4: expires_at has passed already"),
        (line("b", hint="h" * 41), "standard input, line 4: hint must be"),
        (line("b", project="\t"), "standard input, line 4: project must be"),
        (line("a"), "standard input, line 4: its digest stands on line 2 already"),
        (line("there"), "standard input, line 4: a key has this digest already"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_made(run: Run, answer: Answer, wrong: str, said: str) -> None:
    run("db", "upgrade")
    run("keys", "import", "-", given=line("there"))
    before = answer("keys", "list")
    given = "\n" + line("a") + "\n" + wrong + line("c")
    done = run("keys", "import", "-", given=given)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {said}")
    told = run("keys", "import", "-", "--json", given=given)
    assert orjson.loads(told.stderr)["error"] == "bad_input"
    assert answer("keys", "list") == before


def test_an_import_of_nothing_is_no_error(run: Run) -> None:
    run("db", "upgrade")
    done = run("keys", "import", "-", given="\n")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing was changed" in done.stderr


def test_an_export_takes_the_filters_of_the_list(run: Run, answer: Answer) -> None:
    acme = answer("keys", "create", "nightly import", "--project", "acme", "-p", "FILE_MOVE")["id"]
    off = answer("keys", "create", "deploy", "--inactive")["id"]

    def ids(*arguments: str) -> list[str]:
        return [orjson.loads(each)["id"] for each in run("keys", "export", *arguments).stdout.splitlines()]

    assert ids() == [off, acme]
    assert ids("--sort", "created") == [acme, off]
    for only_acme in (("--project", "acme"), ("--active",), ("-p", "FILE_MOVE"), ("--search", "night")):
        assert ids(*only_acme) == [acme]
    assert ids("--inactive") == [off]


def test_an_export_walks_every_page(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        run("keys", "create", f"key {number}")
    whole = run("keys", "export").stdout
    monkeypatch.setattr("gatepost.cli.output.paging.PAGE_MAX", 2)
    assert run("keys", "export").stdout == whole
    assert len(whole.splitlines()) == 5


def test_an_export_holds_neither_secrets_nor_digests(run: Run, answer: Answer) -> None:
    made = answer("keys", "create", "x")
    for form in ("jsonl", "csv"):
        text = run("keys", "export", "--format", form).stdout
        assert made["id"] in text
        assert made["secret"] not in text
        assert made["secret"].rpartition("_")[2] not in text
        assert hashlib.sha256(made["secret"].encode()).hexdigest() not in text


def test_an_export_into_a_file_says_how_many(run: Run, answer: Answer, tmp_path: Path) -> None:
    run("keys", "create", "naïve")
    file = tmp_path / "keys.csv"
    done = run("keys", "export", "--output", str(file))
    assert (done.stdout, done.stderr) == (f"Wrote 1 key to {file}\n", "")
    assert [row["description"] for row in csv.DictReader(io.StringIO(file.read_text("utf-8")))] == ["naïve"]
    run("keys", "create", "second")
    assert answer("keys", "export", "-o", str(file), "--format", "jsonl") == {"file": str(file), "keys": 2}
    assert len([orjson.loads(each) for each in file.read_text().splitlines()]) == 2


def test_the_shell_pipes_an_export_whole(shell: Shell, run: Run) -> None:
    run("keys", "create", "naïve")
    done = shell("keys", "export")
    assert done.stderr == ""
    assert orjson.loads(done.stdout)["description"] == "naïve"


def test_a_terminal_shows_what_was_imported_as_a_table(run: Run, terminal: Terminal, tmp_path: Path) -> None:
    run("db", "upgrade")
    (tmp_path / "keys.jsonl").write_text(line("1", "d" * 200))
    code, shown = terminal("keys", "import", "keys.jsonl")
    assert code == 0
    assert shown.split()[0] == "ID"
    assert all(len(each) <= 80 for each in shown.splitlines()[:2])
