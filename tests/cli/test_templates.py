"""`gatepost templates …`, `gatepost keys issue`."""

from collections.abc import Callable
from typing import Any

from tests.cli.conftest import Run

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


def test_a_key_is_no_template(run: Run, answer: Answer) -> None:
    key_id = answer("keys", "create", "x")["id"]
    for words in (("show", key_id), ("delete", key_id), ("rotate", key_id)):
        assert run("templates", *words).exit_code != 0
    assert run("keys", "issue", key_id).exit_code == 0
    wrong = run("keys", "issue", key_id, "--lifetime", "2d")
    assert (wrong.exit_code, "1 to 86400" in wrong.stderr) == (2, True)
