"""`--resource`, and resources in what the shell prints, writes and reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cli.conftest import Run

Answer = Callable[..., Any]
SPRING = "dir:/campaigns/spring, summer/*"


def test_keys_roles_and_templates_take_and_tell_them(run: Run, answer: Answer) -> None:
    run("db", "upgrade")
    key = answer("keys", "create", "agency", "-p", "FILE_UPLOAD", "--resource", SPRING, "--resource", "collection:one")
    key = key.get("key", key)
    assert key["resources"] == ["collection:one", SPRING], "a name may have a comma"
    shown = run("keys", "show", key["id"]).stdout
    assert f"holds on\tcollection:one,{SPRING}" in shown
    assert answer("keys", "edit", key["id"], "--resource", "")["resources"] == []
    assert "holds on\tnothing" in run("keys", "show", key["id"]).stdout
    assert answer("keys", "edit", key["id"], "--every-resource")["resources"] is None
    log = run("keys", "events", key["id"]).stdout
    assert "resources: nothing -> everything" in log
    assert answer("roles", "create", "editor", "-p", "DIR_CREATE", "--resource", SPRING)["resources"] == [SPRING]
    assert f"holds on\t{SPRING}" in run("roles", "show", "editor").stdout
    held = answer("keys", "create", "held", "--role", "editor")
    held = held.get("key", held)
    assert f"DIR_CREATE on\t{SPRING}" in run("keys", "show", held["id"]).stdout
    assert answer("roles", "edit", "editor", "--resource", "dir:/b", "--preview")["loses"] == {
        "DIR_CREATE": [held["id"]]
    }
    assert answer("roles", "edit", "editor", "--every-resource")["role"]["resources"] is None
    template = answer("templates", "create", "visitors", "-p", "FILE_UPLOAD", "--resource", SPRING)
    assert template["resources"] == [SPRING]
    assert f"holds on\t{SPRING}" in run("templates", "show", template["id"]).stdout
    assert answer("templates", "edit", template["id"], "--lifetime", "5m")["resources"] == [SPRING], (
        "not named, it stays"
    )
    assert (
        answer("keys", "issue", template["id"], "--resource", "dir:/campaigns/spring, summer/a")["key_id"]
        == template["id"]
    )
    assert answer("templates", "edit", template["id"], "--every-resource")["resources"] is None


def test_whoami_tells_what_a_secret_reaches_now_and_no_more(run: Run, answer: Answer) -> None:
    def told(secret: str) -> tuple[list[str], list[str] | None, dict[str, list[str]]]:
        key = orjson.loads(run("keys", "whoami", "--json", given=secret).stdout)["key"]
        return key["permissions"], key["resources"], key["role_resources"]

    run("db", "upgrade")
    answer("roles", "create", "editor", "-p", "DIR_CREATE", "--resource", "dir:/a/*")
    own = run("keys", "create", "own", "-p", "FILE_UPLOAD", "--resource", "dir:/b/*", "-q").stdout
    assert told(own) == (["FILE_UPLOAD"], ["dir:/b/*"], {})
    by_role = run("keys", "create", "x", "-p", "FILE_UPLOAD", "--role", "editor", "-q").stdout
    assert told(by_role) == (["DIR_CREATE", "FILE_UPLOAD"], None, {"DIR_CREATE": ["dir:/a/*"]})
    assert "DIR_CREATE on\tdir:/a/*" in run("keys", "whoami", given=by_role).stdout
    key_id = by_role.split("_")[1]
    temporary = run("keys", "issue", key_id, "--resource", "dir:/a/b/*", "-q").stdout
    assert told(temporary) == (["DIR_CREATE", "FILE_UPLOAD"], ["dir:/a/b/*"], {})
    run("roles", "edit", "editor", "--resource", "dir:/a/b/c", "--resource", "dir:/z/*")
    assert told(temporary)[2] == {"DIR_CREATE": ["dir:/a/b/c"]}
    run("roles", "edit", "editor", "--resource", "dir:/z/*")
    assert told(temporary) == (["DIR_CREATE", "FILE_UPLOAD"], ["dir:/a/b/*"], {"DIR_CREATE": []})
    shown = run("keys", "whoami", given=temporary).stdout
    assert "permissions\tDIR_CREATE,FILE_UPLOAD\n" in shown
    assert "DIR_CREATE on\tnothing\n" in shown


@pytest.mark.parametrize(
    ("wrong", "how"),
    [
        ("dir:/a*", "at its end, behind a slash"),
        ("dir:/*/a", "at its end, behind a slash"),
        ("spring", "'collection:spring', 'dir:/campaigns/*'"),
        ("dir:/a//b", "must be written as it is compared: 'dir:/a/b'"),
    ],
)
def test_bad_input_exits_2_and_changes_nothing(run: Run, answer: Answer, wrong: str, how: str) -> None:
    run("db", "upgrade")
    key = answer("keys", "create", "one", "--resource", "dir:/a")
    answer("roles", "create", "reader")
    template = answer("templates", "create", "visits")
    for words in (
        ("keys", "create", "two", "--resource", wrong),
        ("keys", "edit", key["id"], "--resource", wrong),
        ("roles", "create", "editor", "--resource", wrong),
        ("roles", "edit", "reader", "--resource", wrong),
        ("templates", "create", "visitors", "--resource", wrong),
        ("templates", "edit", template["id"], "--resource", wrong),
        ("keys", "issue", key["id"], "--resource", wrong),
    ):
        done = run(*words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "resources: " in done.stderr
        assert how in done.stderr
    both = run("keys", "edit", key["id"], "--resource", "dir:/a", "--every-resource")
    assert (both.exit_code, "exclude each other" in both.stderr) == (2, True)
    wider = run("keys", "issue", key["id"], "--resource", "dir:/b")
    assert (wider.exit_code, "does not reach all of these" in wider.stderr) == (2, True)
    assert answer("keys", "show", key["id"])["resources"] == ["dir:/a"]
    assert answer("roles", "show", "reader")["resources"] is None
    assert answer("templates", "show", template["id"])["resources"] is None
    assert len(answer("roles", "list")["items"]) == 1
    assert len(answer("keys", "list")["items"]) == 1


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_exported_has_them_and_an_import_takes_them(
    run: Run, answer: Answer, tmp_path: Path, form: str
) -> None:
    run("db", "upgrade")
    for number, options in enumerate((["--resource", SPRING], ["--resource", ""], [])):
        answer("keys", "create", f"key {number}", *options)
    out = tmp_path / f"keys.{form}"
    assert run("keys", "export", "--output", str(out)).exit_code == 0
    given = tmp_path / f"import.{form}"
    if form == "jsonl":
        told = [orjson.loads(line)["resources"] for line in out.read_text().splitlines()]
        assert sorted(told, key=str) == sorted([[SPRING], [], None], key=str)
        lines = [{"digest": "ab" * 32, "description": "in", "resources": [SPRING]}]
        given.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    else:
        assert f'"[""{SPRING}""]"' in out.read_text()
        given.write_text(f'digest,description,resources\n{"ab" * 32},in,"[""{SPRING}""]"\n')
    done = run("keys", "import", str(given))
    assert done.exit_code == 0, done.stderr
    (made,) = [each for each in answer("keys", "list")["items"] if each["description"] == "in"]
    assert made["resources"] == [SPRING]
    given.write_text(given.read_text().replace("ab" * 32, "cd" * 32).replace("dir:/", "dir://"))
    assert "must be written as it is compared" in run("keys", "import", str(given)).stderr
