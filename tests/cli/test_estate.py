"""Owners, metadata, environments and selections in the shell, and in files."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.cli.conftest import Run

Answer = Callable[..., Any]

NOTED = '{"plan":"pro","seats":3}'


def test_owner_environment_and_metadata_are_set_shown_and_edited(run: Run, answer: Answer) -> None:
    made = answer("keys", "create", "x", "--owner", "ann", "--environment", "test", "--metadata", NOTED)
    assert (made["owner"], made["environment"], made["metadata"]) == ("ann", "test", {"plan": "pro", "seats": 3})
    assert made["secret"].startswith("gp_test_")
    shown = run("keys", "show", made["id"]).stdout
    for line in ("owner\tann", "environment\ttest", f"metadata\t{NOTED}"):
        assert line in shown
    edited = answer("keys", "edit", made["id"], "--owner", "bob", "--metadata", "{}")
    assert (edited["owner"], edited["metadata"]) == ("bob", {})
    assert answer("keys", "edit", made["id"], "--owner", "")["owner"] is None
    events = run("keys", "events", made["id"]).stdout
    assert f"owner: ann -> bob; metadata: {NOTED} -> none" in events
    assert f"metadata: {NOTED}" in events.splitlines()[-1]
    assert "owner" not in run("keys", "show", made["id"]).stdout
    for wrong in ("{", "[]", '{"a": 1, "a": 2}', '{"a": NaN}'):
        assert run("keys", "edit", made["id"], "--metadata", wrong).exit_code == 2
    assert run("keys", "create", "x", "--environment", "prod").exit_code == 2


def test_metadata_that_looks_like_a_change_is_told_as_what_it_is(run: Run, answer: Answer) -> None:
    key_id = answer("keys", "create", "x", "--metadata", '{"old": 1, "new": 2}')["id"]
    answer("keys", "edit", key_id, "--metadata", '{"old": 1, "new": 3}')
    run("keys", "delete", key_id, "--yes")
    deleted, updated, created = (line.split("\t")[5] for line in run("keys", "events", key_id).stdout.splitlines())
    assert deleted.endswith('; metadata: {"new":3,"old":1}')
    assert updated == 'metadata: {"new":2,"old":1} -> {"new":3,"old":1}'
    assert created.endswith('; metadata: {"new":2,"old":1}')


def test_the_environment_of_the_process_is_that_of_new_keys(
    run: Run, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_ENVIRONMENT", "live")
    assert answer("keys", "create", "x")["environment"] == "live"
    of_test = answer("keys", "create", "x", "--environment", "test")
    told = run("keys", "whoami", given=of_test["secret"] + "\n")
    assert told.exit_code == 7
    assert told.stdout.startswith("outcome\tenvironment_denied")


def test_lists_events_and_usage_take_owner_and_environment(run: Run, answer: Answer) -> None:
    of_ann = answer("keys", "create", "x", "--owner", "ann", "--environment", "test")["id"]
    answer("keys", "create", "y", "--owner", "bob")
    for options in (["--owner", "ann"], ["--environment", "test"], ["--owner", "ann", "--environment", "test"]):
        assert run("keys", "list", "-q", *options).stdout.split() == [of_ann]
        assert run("keys", "count", *options).stdout.strip() == "1"
        assert run("keys", "events", "-q", *options).stdout.split() == [of_ann]
        assert answer("keys", "usage", *options) == {"items": []}
    assert run("keys", "usage", of_ann, "--owner", "ann").exit_code == 2


def test_lists_events_usage_export_and_selections_take_metadata(run: Run, answer: Answer) -> None:
    pro = answer("keys", "create", "x", "--metadata", NOTED)["id"]
    free = answer("keys", "create", "y", "--metadata", '{"plan": "free", "seats": 3}')["id"]
    template = answer("templates", "create", "w", "--metadata", NOTED)["id"]
    of_pro = ["--metadata", '{ "plan": "pro" }']
    assert run("keys", "list", "-q", *of_pro).stdout.split() == [pro]
    assert run("keys", "list", "-q", "--metadata", '{"seats": 3}').stdout.split() == [free, pro]
    assert run("keys", "count", *of_pro).stdout.strip() == "1"
    assert {*run("keys", "events", "-q", *of_pro).stdout.split()} == {pro, template}
    assert answer("keys", "usage", *of_pro) == {"items": []}
    assert run("templates", "list", "-q", *of_pro).stdout.split() == [template]
    assert [orjson.loads(line)["id"] for line in run("keys", "export", *of_pro).stdout.splitlines()] == [pro]
    assert run("keys", "expiring", "-q", *of_pro).stdout == run("keys", "stale", "-q", *of_pro).stdout == ""
    shown = run("keys", "edit", "--where-metadata", NOTED, "--metadata", '{"plan": "free"}', "--preview")
    assert shown.stdout.splitlines() == [f"{pro}\twould be edited"]
    assert answer("keys", "deactivate", *of_pro)["changed"] == [pro]
    run("keys", "edit", "--where-metadata", NOTED, "--metadata", '{"plan": "free"}')
    assert run("keys", "list", "-q", "--metadata", '{"plan": "free"}').stdout.split() == [free, pro]
    for wrong in ("", "{}", "[]", "plan", '{"a": 1, "a": 2}', '{"a": NaN}'):
        for command in (("keys", "list"), ("keys", "events"), ("keys", "usage"), ("keys", "delete", "--yes")):
            refused = run(*command, "--metadata", wrong)
            assert (refused.exit_code, "metadata" in refused.stderr) == (2, True), (command, wrong)
    assert "--where-metadata" in run("keys", "edit", pro, "--where-metadata", NOTED, "--owner", "ann").stderr
    assert run("keys", "usage", pro, *of_pro).exit_code == 2
    assert run("keys", "count").stdout.strip() == "2"


def test_they_go_out_and_come_in_with_the_keys(run: Run, answer: Answer, tmp_path: Any) -> None:
    answer("keys", "create", "x", "--owner", "=ann", "--environment", "test", "--metadata", NOTED)
    answer("keys", "create", "bare")
    for form in ("jsonl", "csv"):
        file = tmp_path / f"out.{form}"
        run("keys", "export", "--owner", "=ann", "--output", str(file))
        text = file.read_text()
        if form == "jsonl":
            (line,) = text.splitlines()
            told = orjson.loads(line)
            assert (told["owner"], told["environment"], told["metadata"]) == (
                "=ann",
                "test",
                {"plan": "pro", "seats": 3},
            )
        else:
            assert "'=ann,test" in text
            assert '"{""plan"":""pro"",""seats"":3}"' in text
    entry = {"digest": "ab" * 32, "description": "in", "owner": "=ann", "environment": "test", "metadata": {"a": 1}}
    (tmp_path / "in.jsonl").write_bytes(orjson.dumps(entry))
    (made,) = answer("keys", "import", str(tmp_path / "in.jsonl"))["items"]
    assert (made["owner"], made["environment"], made["metadata"]) == ("=ann", "test", {"a": 1})
    (tmp_path / "in.csv").write_text(
        f'digest,description,owner,environment,metadata\n{"cd" * 32},in,\'=ann,,"{{""a"": 1}}"\n'
    )
    (made,) = answer("keys", "import", str(tmp_path / "in.csv"))["items"]
    assert (made["owner"], made["environment"], made["metadata"]) == ("=ann", None, {"a": 1})
    for wrong in ('{"a": 1, "a": 2}', "[1]", '"x"', '{"a": 9007199254740993}'):
        file = tmp_path / "wrong.jsonl"
        file.write_text(f'{{"digest": "{"ef" * 32}", "description": "in", "metadata": {wrong}}}')
        refused = run("keys", "import", str(file))
        assert refused.exit_code == 2
        assert "line 1" in refused.stderr


def test_keys_are_switched_off_by_what_they_are_after_a_preview(run: Run, answer: Answer) -> None:
    ids = [answer("keys", "create", name, "--owner", "ann")["id"] for name in ("export by night", "import by night")]
    answer("keys", "create", "another", "--owner", "bob")
    shown = run("keys", "deactivate", "--owner", "ann", "--preview")
    assert shown.exit_code == 0
    assert shown.stdout.splitlines() == [f"{key_id}\twould be deactivated" for key_id in reversed(ids)]
    assert "Nothing was changed: 2 of 2 keys would be deactivated" in shown.stderr
    assert run("keys", "count", "--inactive").stdout.strip() == "0"
    told = answer("keys", "deactivate", "--owner", "ann", "--preview")
    assert (told["preview"], told["seq"], told["changed"]) == (True, None, ids[::-1])
    done = answer("keys", "deactivate", "--owner", "ann")
    assert done["changed"] == ids[::-1]
    assert "preview" not in done
    assert answer("keys", "activate", "--owner", "ann", "--search", "import by")["changed"] == ids[1:]
    assert run("keys", "delete", "--owner", "ann", "--preview").stdout.count("would be deleted") == 2
    assert answer("keys", "delete", "--owner", "ann", "--yes")["changed"] == ids[::-1]
    assert run("keys", "list", "-q").stdout.count("\n") == 1


def test_several_keys_are_edited_from_a_pipe(run: Run, answer: Answer) -> None:
    ids = [answer("keys", "create", f"key {number}", "--owner", "ann")["id"] for number in range(2)]
    shown = run("keys", "edit", "-", "--owner", "bob", "--preview", given="\n".join(ids))
    assert shown.stdout.splitlines() == [f"{key_id}\twould be edited" for key_id in ids]
    done = run("keys", "edit", *ids, "000000000000", "--owner", "bob")
    assert done.exit_code == 3
    assert done.stdout.splitlines() == [*(f"{key_id}\tedited" for key_id in ids), "000000000000\tunknown"]
    assert run("keys", "count", "--owner", "bob").stdout.strip() == "2"


def test_an_owners_templates_are_switched_off_apart_from_the_owners_keys(run: Run, answer: Answer) -> None:
    key = answer("keys", "create", "x", "--owner", "ann")["id"]
    ids = [answer("templates", "create", "w", "--owner", name)["id"] for name in ("ann", "ann", "bob")]
    shown = run("keys", "deactivate", "--owner", "ann", "--templates", "--preview")
    assert shown.stdout.splitlines() == [f"{each}\twould be deactivated" for each in ids[1::-1]]
    secret = run("keys", "issue", ids[0], "--quiet").stdout
    assert answer("keys", "deactivate", "--owner", "ann", "--templates")["changed"] == ids[1::-1]
    assert "key_deactivated" in run("keys", "whoami", "--json", given=secret).stdout
    assert answer("keys", "show", key)["active"]
    assert answer("templates", "show", ids[2])["active"]
    assert answer("keys", "deactivate", "--owner", "ann")["changed"] == [key]
    assert answer("keys", "activate", "--owner", "ann", "--templates")["changed"] == ids[1::-1]
    assert answer("keys", "delete", "--owner", "ann", "--templates", "--yes")["changed"] == ids[1::-1]
    assert answer("keys", "show", key)["owner"] == "ann"


def test_keys_are_edited_by_what_they_are_after_a_preview(run: Run, answer: Answer) -> None:
    ids = [answer("keys", "create", f"key {number}", "-p", "FILE_UPLOAD", "--owner", "ann")["id"] for number in (1, 2)]
    other = answer("keys", "create", "another", "--owner", "bob")
    words = ("keys", "edit", "--where-owner", "ann", "--where-active", "--owner", "bob", "-p", "OBJECTS_LIST")
    shown = run(*words, "--preview")
    assert shown.stdout.splitlines() == [f"{key_id}\twould be edited" for key_id in ids[::-1]]
    assert "Nothing was changed: 2 of 2 keys would be edited" in shown.stderr
    assert run("keys", "count", "--owner", "ann").stdout.strip() == "2"
    too_many = run(*words, "--most", "1")
    assert too_many.exit_code == 2
    assert run("keys", "count", "--owner", "ann").stdout.strip() == "2"
    done = answer(*words)
    assert (done["changed"], done["unknown"], done["denied"]) == (ids[::-1], [], {})
    assert answer(*words)["changed"] == []
    edited = answer("keys", "show", ids[0])
    assert (edited["owner"], edited["permissions"]) == ("bob", ["OBJECTS_LIST"])
    assert answer("keys", "show", other["id"])["permissions"] == []
    one = answer("keys", "edit", "--where-search", "another", "--never-expires", "--description", "sole")
    assert one["changed"] == [other["id"]], "a selection of one is told as a selection"
    template = answer("templates", "create", "w", "--owner", "bob")["id"]
    assert answer("keys", "edit", "--where-owner", "bob", "--where-templates", "--owner", "eve")["changed"] == [
        template
    ]
    assert run("keys", "count", "--owner", "bob").stdout.strip() == "3"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--owner", "bob"], "by what they are: --where-owner, --where-project"),
        (["--where-active", "--owner", "bob"], "by what they are: --where-owner"),
        (["--where-templates", "--owner", "bob"], "by what they are: --where-owner"),
        (["--where-owner", "ann"], "Nothing to change: name --description"),
        (["4fT0aK9sQ2Lm", "--where-inactive", "--owner", "bob"], "(--where-inactive), not by both"),
        (["4fT0aK9sQ2Lm", "--most", "5", "--owner", "bob"], "(--most), not by both"),
        (["--project", "acme", "--owner", "bob"], "No such option: --project"),
    ],
)
def test_an_edit_of_nothing_clear_or_by_a_word_of_two_meanings_is_refused(
    run: Run, answer: Answer, words: list[str], told: str
) -> None:
    answer("keys", "create", "x", "--owner", "ann", "--project", "acme")
    refused = run("keys", "edit", *words)
    assert refused.exit_code == 2
    assert told in " ".join(refused.stderr.split())
    assert run("keys", "count", "--owner", "ann").stdout.strip() == "1"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--inactive"], "(--inactive)"),
        (["--active"], "(--active)"),
        (["--state", "deactivated"], "(--state)"),
        (["--expires-within", "1d"], "(--expires-within)"),
        (["--most", "1"], "(--most)"),
        (["--templates"], "(--templates)"),
        (["--owner", "ann", "--inactive"], "(--owner, --inactive)"),
    ],
)
def test_ids_and_any_filter_beside_them_are_refused_and_nothing_is_changed(
    run: Run, answer: Answer, options: list[str], named: str
) -> None:
    key_id = answer("keys", "create", "x", "--owner", "ann")["id"]
    for verb in (["activate"], ["deactivate"], ["end-grace"], ["delete", "--yes"]):
        refused = run("keys", *verb, key_id, *options)
        assert refused.exit_code == 2
        assert f"by what they are {named}, not by both" in refused.stderr
    assert run("keys", "count", "--active").stdout.strip() == "1"


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--active"],
        ["--templates"],
        ["--owner", "ann", "4fT0aK9sQ2Lm"],
        ["--owner", ""],
        ["--owner", "ann", "--most", "1"],
        ["--made-by", "x"],
    ],
)
def test_what_selects_all_keys_too_many_or_nothing_clear_is_refused(
    run: Run, answer: Answer, options: list[str]
) -> None:
    for number in range(2):
        answer("keys", "create", f"key {number}", "--owner", "ann")
    for verb in ("activate", "deactivate", "end-grace"):
        assert run("keys", verb, *options).exit_code == 2
    assert run("keys", "delete", *options, "--yes").exit_code == 2
    assert run("keys", "count", "--active").stdout.strip() == "2"
