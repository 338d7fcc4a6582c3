"""`gatepost roles …`, and roles at the commands of keys."""

from collections.abc import Callable
from typing import Any

import orjson

from tests.cli.conftest import Run, Terminal

Answer = Callable[..., Any]


def test_a_role_is_made_shown_listed_and_edited(run: Run, answer: Answer) -> None:
    run("db", "upgrade")
    made = answer("roles", "create", "editor", "-p", "FILE_UPLOAD,FILE_RENAME", "--description", "writes files")
    assert (made["name"], made["project"], made["description"]) == ("editor", None, "writes files")
    assert (made["permissions"], made["patterns"]) == (["FILE_RENAME", "FILE_UPLOAD"], [])
    acme = answer("roles", "create", "reader", "-p", "OBJECTS_*", "-p", "DIR_CREATE", "--project", "acme")
    assert acme["patterns"] == ["OBJECTS_*"]
    assert {"OBJECTS_LIST", "DIR_CREATE"} <= {*acme["permissions"]}
    assert "OBJECTS_*" not in acme["permissions"]
    assert answer("roles", "show", "editor") == made
    assert [each["name"] for each in answer("roles", "list")["items"]] == ["editor", "reader"]
    assert [each["name"] for each in answer("roles", "list", "--project", "beta")["items"]] == ["editor"]
    lines = run("roles", "list", "--project", "acme").stdout.splitlines()
    assert lines[0] == "editor\t\twrites files\tFILE_RENAME,FILE_UPLOAD"
    assert lines[1].startswith("reader\tacme\t\tDIR_CREATE,OBJECTS_")
    shown = run("roles", "show", "reader", "--project", "acme").stdout.splitlines()
    assert "written as\tOBJECTS_*" in shown
    change = answer("roles", "edit", "editor", "--description", "")
    assert (change["role"]["description"], change["gains"], change["loses"]) == ("", {}, {})


def test_an_edit_tells_which_keys_gain_and_lose_what_and_a_preview_changes_nothing(run: Run, answer: Answer) -> None:
    run("db", "upgrade")
    answer("roles", "create", "editor", "-p", "FILE_UPLOAD")
    one, two = (answer("keys", "create", name, "--role", "editor")["id"] for name in ("one", "two"))
    own = answer("keys", "create", "three", "--role", "editor", "-p", "FILE_UPLOAD")["id"]
    preview = answer("roles", "edit", "editor", "-p", "FILE_RENAME", "--preview")
    assert preview["preview"] is True
    assert sorted(preview["keys"]) == sorted([one, two, own])
    assert {name: sorted(ids) for name, ids in preview["gains"].items()} == {"FILE_RENAME": sorted([one, two, own])}
    assert {name: sorted(ids) for name, ids in preview["loses"].items()} == {"FILE_UPLOAD": sorted([one, two])}
    assert answer("keys", "show", one)["permissions"] == ["FILE_UPLOAD"]
    told = run("roles", "edit", "editor", "-p", "FILE_RENAME", "--preview")
    assert told.stderr == "Nothing was changed: the role would be edited; 3 keys hold it\n"
    done = run("roles", "edit", "editor", "-p", "FILE_RENAME")
    assert done.exit_code == 0
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[:3] for row in rows] == [["gains", "FILE_RENAME", "3"], ["loses", "FILE_UPLOAD", "2"]]
    assert sorted(rows[1][3].split(",")) == sorted([one, two])
    assert done.stderr == "The role is edited; 3 keys hold it\n"
    assert answer("keys", "show", one)["permissions"] == ["FILE_RENAME"]
    assert answer("keys", "show", own)["permissions"] == ["FILE_RENAME", "FILE_UPLOAD"]
    again = run("roles", "edit", "editor", "-p", "FILE_RENAME", "--no-wait", "--timeout", "1")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "Nothing had to change\n")
    assert answer("roles", "edit", "editor", "-p", "")["loses"].keys() == {"FILE_RENAME"}
    assert answer("keys", "show", one)["permissions"] == []


def test_deleting_a_role_asks_and_takes_what_it_gave(run: Run, answer: Answer, terminal: Terminal) -> None:
    run("db", "upgrade")
    answer("roles", "create", "editor", "-p", "FILE_UPLOAD")
    key_id = answer("keys", "create", "one", "--role", "editor")["id"]
    assert answer("roles", "delete", "editor", "--preview")["loses"] == {"FILE_UPLOAD": [key_id]}
    refused = run("roles", "delete", "editor")
    assert (refused.exit_code, "say --yes" in refused.stderr) == (2, True)
    code, shown = terminal("roles", "delete", "editor", typed="n\n", prompt="Delete role editor?")
    assert code == 1
    assert key_id in shown
    assert answer("keys", "show", key_id)["roles"] == ["editor"]
    code, shown = terminal("roles", "delete", "editor", typed="y\n", prompt="Delete role editor?")
    assert code == 0
    assert "The role is deleted; 1 key held it" in shown
    assert answer("keys", "show", key_id)["permissions"] == []
    answer("roles", "create", "editor")
    assert answer("roles", "delete", "editor", "--yes")["role"] is None


def test_a_role_that_there_is_not_exits_3(run: Run) -> None:
    run("db", "upgrade")
    for words in (("show", "editor"), ("edit", "editor", "-p", ""), ("delete", "editor", "--yes")):
        done = run("roles", *words, "--json")
        assert (done.exit_code, done.stdout) == (3, "")
        assert orjson.loads(done.stderr) == {
            "error": "role_not_found",
            "message": "No role 'editor' that is company-wide",
        }
    assert run("roles", "edit", "editor").exit_code == 2
    assert run("roles", "create", "two words").exit_code == 2
    assert run("roles", "create", "editor", "-p", "FILE_UPLODA").exit_code == 2
    assert run("keys", "create", "one", "--role", "editor").exit_code == 2
    assert run("roles", "create", "editor").exit_code == 0
    assert run("roles", "create", "editor", "--project", "acme").exit_code == 2


def test_keys_hold_roles_and_are_found_by_them(run: Run, answer: Answer) -> None:
    run("db", "upgrade")
    answer("roles", "create", "editor", "-p", "FILE_UPLOAD")
    answer("roles", "create", "reader", "-p", "OBJECTS_LIST")
    made = answer("keys", "create", "one", "-p", "DIR_CREATE", "--role", "reader", "--role", "editor")
    assert made["roles"] == ["editor", "reader"]
    assert made["permissions"] == ["DIR_CREATE", "FILE_UPLOAD", "OBJECTS_LIST"]
    assert made["own_permissions"] == ["DIR_CREATE"]
    shown = dict(line.split("\t") for line in run("keys", "show", made["id"]).stdout.splitlines())
    assert (shown["roles"], shown["its own"]) == ("editor,reader", "DIR_CREATE")
    plain = answer("keys", "create", "plain")["id"]
    assert "its own" not in run("keys", "show", plain).stdout
    assert run("keys", "list", "--role", "editor", "-q").stdout.split() == [made["id"]]
    assert run("keys", "count", "--role", "reader").stdout == "1\n"
    assert run("keys", "list", "--role", "nobodys", "-q").stdout == ""
    assert answer("keys", "edit", made["id"], "--role", "reader")["permissions"] == ["DIR_CREATE", "OBJECTS_LIST"]
    assert answer("keys", "edit", made["id"], "-p", "")["permissions"] == ["OBJECTS_LIST"]
    assert answer("keys", "edit", made["id"], plain, "--role", "editor")["seq"] is not None
    assert answer("keys", "deactivate", "--role", "editor", "--preview")["changed"]
    bare = answer("keys", "edit", made["id"], "--role", "")
    assert (bare["roles"], bare["permissions"], bare["own_permissions"]) == ([], [], None)
    events = run("roles", "delete", "editor", "--yes"), run("keys", "events", "--kind", "role_deleted").stdout
    assert "editor" in events[1]


def test_a_role_is_shown_with_the_keys_that_hold_it(run: Run, answer: Answer) -> None:
    def held(*role: str) -> list[str]:
        lines = run("roles", "show", *role).stdout.splitlines()
        return lines[next(n for n, line in enumerate(lines) if line.startswith("held by\t")) :]

    run("db", "upgrade")
    for project in ("acme", "other"):
        answer("roles", "create", "editor", "-p", "FILE_UPLOAD", "--project", project)
    answer("roles", "create", "reader", "-p", "OBJECTS_LIST")
    assert held("reader") == ["held by\t0 keys"]
    one = answer("keys", "create", "of acme", "--role", "editor", "--role", "reader", "--project", "acme")["id"]
    two = answer("keys", "create", "of other", "--role", "editor", "--role", "reader", "--project", "other")["id"]
    assert held("editor", "--project", "acme") == ["held by\t1 key", f"{one}\tof acme"]
    assert held("reader") == ["held by\t2 keys", f"{two}\tof other", f"{one}\tof acme"]
    for n in range(10):
        answer("keys", "create", f"key {n}", "--role", "editor", "--project", "acme")
    shown = held("editor", "--project", "acme")
    assert (len(shown), shown[0]) == (12, "held by\t11 keys")
    assert shown[-1] == "all of them\tgatepost keys list --role editor --project acme"


def test_a_terminal_names_some_keys_and_counts_the_rest(run: Run, answer: Answer, terminal: Terminal) -> None:
    run("db", "upgrade")
    answer("roles", "create", "editor", "-p", "FILE_UPLOAD")
    for n in range(12):
        answer("keys", "create", f"key {n}", "--role", "editor")
    code, shown = terminal("roles", "edit", "editor", "-p", "", "--preview")
    assert code == 0
    assert "and 2 more" in shown
    assert "loses" in shown
    code, shown = terminal("roles", "list")
    assert "ROLE" in shown
    assert "(every)" in shown
