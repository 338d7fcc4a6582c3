"""`gatepost audit log` and `gatepost db prune` at the shell."""

import asyncio
from pathlib import Path

import orjson

from gatepost import APIKeys
from tests.cli.conftest import Run
from tests.retention.conftest import make_old


async def make_past(database: str) -> None:
    """Changes 0 to 2 of long ago, 3 of now."""
    async with APIKeys(database, usage=False) as keys:
        issued = await keys.create("a key")
        await keys.deactivate(issued.key.id)
        await make_old(keys)
        await keys.activate(issued.key.id)


async def alter(database: str) -> None:
    """A line, behind everybody's back."""
    async with APIKeys(database) as keys, keys._database._writing("") as connection:
        await connection.exec_driver_sql("UPDATE gatepost_events SET actor = 'somebody' WHERE seq = 2")
        await connection.commit()


def test_the_log_is_exported_verified_and_pruned(run: Run, database: str, tmp_path: Path) -> None:
    asyncio.run(make_past(database))
    file = tmp_path / "log.jsonl"
    shown = run("audit", "log")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert [orjson.loads(line)["seq"] for line in shown.stdout.splitlines()] == [0, 1, 2, 3]
    part = run("audit", "log", "--from", "1", "--to", "2", "--output", str(file), "--json")
    assert orjson.loads(part.stdout) == {"file": str(file), "lines": 2}
    assert [orjson.loads(line)["seq"] for line in file.read_text().splitlines()] == [1, 2]

    checked = run("audit", "log", "--verify", "--file", str(file))
    assert checked.exit_code == 0
    assert checked.stdout.startswith("status\twhole\nchanges\t1 to 2: 2\n")
    assert "the database\tgoes on from its end" in checked.stdout
    file.write_text(file.read_text().replace('"kind":"deactivated"', '"kind":"activated"'))
    checked = run("audit", "log", "--verify", "--file", str(file), "--json")
    assert checked.exit_code == 1
    (flaw,) = orjson.loads(checked.stdout)["flaws"]
    assert (flaw["kind"], flaw["seq"], flaw["until"]) == ("altered", 2, 2)
    file.write_text(file.read_text() + "no JSON\n")
    checked = run("audit", "log", "--verify", "--file", str(file))
    assert checked.exit_code == 2
    assert f"{file}, line 3 is none that" in checked.stderr

    shown = run("db", "prune", "--events-before", "400d", "--dead-workers", "--preview", "--json")
    told = orjson.loads(shown.stdout)
    assert told["events"] == {"removed": 2, "kept": 1, "to": 2, "held_by": None}
    assert (told["workers"], told["preview"]) == ([], True)
    done = run("db", "prune", "--events-before", "400d")
    assert done.exit_code == 0
    assert "Audit log: 2 lines were removed up to change 2, 1 of keys' making stay" in done.stdout
    whole = run("audit", "log", "--verify")
    assert "kept by pruning\t1 lines" in whole.stdout
    assert [orjson.loads(line)["seq"] for line in run("audit", "log").stdout.splitlines()] == [3]


def test_an_altered_log_exits_1_and_names_the_change(run: Run, database: str) -> None:
    asyncio.run(make_past(database))
    run("audit", "log")
    asyncio.run(alter(database))
    done = run("audit", "log", "--verify")
    assert done.exit_code == 1
    assert "wrong\tchange 2 was not as sealed: a line was altered, put in or taken out" in done.stdout


def test_what_contradicts_itself_is_refused(run: Run) -> None:
    run("db", "upgrade")
    for arguments, message in (
        (("audit", "log", "--file", "x"), "--file goes with --verify"),
        (("audit", "log", "--verify", "--from", "1"), "--verify looks at the whole log"),
        (("audit", "log", "--verify", "--file", "/none"), "/none: No such file"),
        (("db", "prune", "--events-before", "1d"), "at least 2 days ago"),
        (("db", "prune", "--events-before", "soon"), "--events-before 'soon'"),
        (("audit", "--once"), "Missing option '--worker'"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2, arguments
        assert message in done.stderr
