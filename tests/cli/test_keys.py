"""`gatepost keys …`, in this process."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatepost import APIKeys, Outcome
from gatepost.base.models import Propagation, Receipt
from gatepost.base.secret import secret_pattern
from gatepost.cli.output.views import print_receipt
from tests.cli.conftest import Run

Answer = Callable[..., Any]


async def outcome_of(database: str, secret: str, **options: Any) -> Outcome:
    async with APIKeys(database, **options) as keys:
        return (await keys.verify(secret, count=False)).outcome


def without_times(text: str) -> str:
    """The text with the time of the day taken out of its moments."""
    return re.sub(r"T[0-9:.]+", "T", text)


@pytest.fixture
def key_id(answer: Answer) -> str:
    """A key that exists."""
    made: str = answer("keys", "create", "nightly import", "-p", "FILE_UPLOAD", "--project", "acme")["id"]
    return made


def test_a_made_key_has_what_was_asked_for(answer: Answer) -> None:
    made = answer("keys", "create", "nightly import", "-p", "FILE_UPLOAD, OBJECTS_LIST", "-p", "DIR_MOVE")
    assert re.fullmatch(secret_pattern(), made.pop("secret"))
    assert made.pop("file_made").endswith("/keys.db")
    assert made["permissions"] == ["DIR_MOVE", "FILE_UPLOAD", "OBJECTS_LIST"]
    assert (made["description"], made["project"], made["expires_at"]) == ("nightly import", None, None)
    assert datetime.fromisoformat(made["created_at"]).utcoffset() == timedelta(0)
    assert answer("keys", "show", made["id"]) == made


def test_quiet_prints_the_secret_alone_which_then_verifies(run: Run, database: str) -> None:
    done = run("keys", "create", "x", "--quiet")
    secret = done.stdout.removesuffix("\n")
    assert re.fullmatch(secret_pattern(), secret)

    assert asyncio.run(outcome_of(database, secret)) is Outcome.VALID


@pytest.mark.parametrize("arguments", [("create", "x"), ("rotate", "ID", "--grace", "1h")])
@pytest.mark.parametrize("form", [(), ("--json",), ("--quiet",)])
def test_the_secret_is_on_stdout_once_and_never_on_stderr(
    run: Run, key_id: str, arguments: tuple[str, ...], form: tuple[str, ...]
) -> None:
    done = run("keys", *(key_id if argument == "ID" else argument for argument in arguments), *form)
    assert done.exit_code == 0
    assert len(re.findall(secret_pattern(), done.stdout)) == 1
    assert not re.search(secret_pattern(), done.stderr)


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        ("2130-01-31", datetime(2130, 1, 31, tzinfo=UTC)),
        ("2130-01-31T18:00", datetime(2130, 1, 31, 18, tzinfo=UTC)),
        ("2130-01-31T18:00Z", datetime(2130, 1, 31, 18, tzinfo=UTC)),
        ("2130-01-31T18:00+02:00", datetime(2130, 1, 31, 16, tzinfo=UTC)),
    ],
)
def test_a_key_expires_at_the_moment_named_in_utc_where_no_zone_is(answer: Answer, when: str, moment: datetime) -> None:
    assert datetime.fromisoformat(answer("keys", "create", "x", "--expires", when)["expires_at"]) == moment


@pytest.mark.parametrize(
    ("span", "length"),
    [("90d", timedelta(days=90)), ("12h", timedelta(hours=12)), ("1w1d1.5h30m10s", timedelta(8, 10, hours=2))],
)
def test_a_key_expires_a_span_from_now(answer: Answer, span: str, length: timedelta) -> None:
    before = datetime.now(UTC)
    expires = datetime.fromisoformat(answer("keys", "create", "x", "--expires", span)["expires_at"])
    assert before + length <= expires <= datetime.now(UTC) + length


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("create", ""), ("bad_input", "description")),
        (("create", "x", "-p", "FILE_UPLAOD"), ("unknown_permission", "Did you mean 'FILE_UPLOAD'?")),
        (("create", "x", "--expires", "tomorrow"), ("bad_input", "--expires 'tomorrow'")),
        (("create", "x", "--expires", "2020-01-01"), ("bad_input", "has passed already")),
        (("create", "x", "--expires", "9999999999w"), ("bad_input", "'9999999999w'")),
        (("create", "x", "--expires", "999999w"), ("bad_input", "--expires '999999w'")),
        (("create", "x", "--project", "\t"), ("bad_input", "project")),
        (("create", "x", "--actor", ""), ("bad_input", "actor")),
        (("create", "x", "--prefix", "A-B"), ("bad_input", "prefix")),
        (("create", "x", "--redis", "http://localhost"), ("bad_input", "redis")),
        (("create", "x", "--database", "oracle://localhost"), ("bad_input", "oracle")),
        (("create", "x", "--database", "nonsense"), ("bad_input", "database")),
        (("create", "x", "--quiet"), ("bad_input", "--quiet and --json")),
        (("list", "--limit", "501"), ("usage", "--limit")),
        (("list", "--after", "nonsense"), ("bad_input", "after")),
        (("list", "--sort", "size"), ("usage", "--sort")),
        (("list", "--state", "on"), ("usage", "--state")),
        (("list", "--state", "active", "--inactive"), ("bad_input", "state")),
        (("list", "--before", "nonsense"), ("bad_input", "before")),
        (("list", "--before", "x", "--all"), ("bad_input", "--before and --all")),
        (("list", "--expires-before", "soon"), ("bad_input", "--expires-before 'soon'")),
        (("list", "--expires-within", "soon"), ("bad_input", "--expires-within 'soon'")),
        (("list", "--project", "a", "--company-wide"), ("bad_input", "company_wide")),
        (("count", "--permission", "NOPE"), ("unknown_permission", "NOPE")),
        (("create", "a\nb"), ("bad_input", "the 2nd character is a line break")),
        (("events", "--after", "nonsense"), ("bad_input", "after")),
        (("reveal", "ID", "--quiet"), ("bad_input", "--quiet and --json")),
        (("import", "nowhere.jsonl"), ("bad_input", "nowhere.jsonl")),
        (("import", "x", "--format", "xml"), ("usage", "--format")),
        (("export", "--output", "nowhere/keys.jsonl"), ("bad_input", "--output nowhere/keys.jsonl")),
        (("whoami", "a-secret"), ("bad_input", "never an argument")),
        (("list", "--permission", "NOPE"), ("unknown_permission", "NOPE")),
        (("edit", "ID"), ("bad_input", "Nothing to change")),
        (("edit", "ID", "--expires", "1d", "--never-expires"), ("bad_input", "--never-expires")),
        (("edit", "ID", "-p", "NOPE"), ("unknown_permission", "NOPE")),
        (("rotate", "ID"), ("usage", "--grace")),
        (("rotate", "ID", "--grace", "soon"), ("bad_input", "--grace 'soon'")),
        (("rotate", "ID", "--grace", "-1"), ("bad_input", "--grace '-1'")),
        (("rotate", "ID", "--grace", "31d"), ("bad_input", "max_grace")),
        (("rotate", "ID", "--grace", "2h", "--max-grace", "1h"), ("bad_input", "0 to 3600")),
        (("rotate", "ID", "--grace", "2h", "--max-grace", "soon"), ("bad_input", "--max-grace 'soon'")),
        (("deactivate",), ("bad_input", "Name keys by their ids, or by what they are")),
        (("deactivate", "ID", "--nonsense"), ("usage", "--nonsense")),
        (("delete", "ID"), ("bad_input", "--yes")),
        (("lst",), ("usage", "Did you mean 'list'?")),
    ],
)
def test_bad_input_exits_2_with_one_line_and_changes_nothing(
    run: Run, answer: Answer, key_id: str, arguments: tuple[str, ...], wrong: tuple[str, str]
) -> None:
    given = [key_id if argument == "ID" else argument for argument in arguments]
    before = answer("keys", "list")

    done = run("keys", *given, "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    error = orjson.loads(done.stderr)
    assert error["error"] == wrong[0]
    assert wrong[1] in error["message"]

    if "--quiet" not in given:
        done = run("keys", *given)
        assert (done.exit_code, done.stdout) == (2, "")
        said = done.stderr.removeprefix("Error: ").removesuffix("\n")
        assert without_times(said) == without_times(error["message"])

    assert answer("keys", "list") == before


@pytest.mark.parametrize("verb", [("show",), ("edit", "--description", "y"), ("rotate", "--grace", "0")])
def test_an_unknown_id_exits_3(run: Run, key_id: str, verb: tuple[str, ...]) -> None:
    done = run("keys", *verb, "nope")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == "Error: No key with id 'nope'\n"


@pytest.mark.parametrize(("verb", "done_word"), [(("deactivate",), "deactivated"), (("delete", "--yes"), "deleted")])
def test_known_ids_are_done_and_unknown_ones_said_before_exit_3(
    run: Run, key_id: str, verb: tuple[str, ...], done_word: str
) -> None:
    done = run("keys", *verb, "nope", key_id)
    assert done.exit_code == 3
    assert done.stdout == f"{key_id}\t{done_word}\nnope\tunknown\n"
    assert done.stderr == "Error: No key with id 'nope'\n"


def test_an_unknown_id_among_others_leaves_the_receipt_on_stdout_in_json_too(run: Run, key_id: str) -> None:
    done = run("keys", "deactivate", "nope", key_id, "--json")
    assert done.exit_code == 3
    receipt = orjson.loads(done.stdout)
    assert (receipt["changed"], receipt["unchanged"], receipt["unknown"]) == ([key_id], [], ["nope"])
    assert orjson.loads(done.stderr)["error"] == "key_not_found"


def test_switching_a_key_says_what_changed_and_what_was_so_already(run: Run, answer: Answer, key_id: str) -> None:
    assert run("keys", "deactivate", key_id).stdout == f"{key_id}\tdeactivated\n"
    assert answer("keys", "show", key_id)["active"] is False
    assert run("keys", "deactivate", key_id).stdout == f"{key_id}\tunchanged\n"
    assert run("keys", "activate", key_id).stdout == f"{key_id}\tactivated\n"
    assert answer("keys", "show", key_id)["active"] is True


@pytest.mark.parametrize("form", [(), ("--quiet",)])
def test_what_list_prints_can_be_piped_into_the_verbs_for_many(run: Run, answer: Answer, form: tuple[str, ...]) -> None:
    ids = [answer("keys", "create", f"key {number} with spaces")["id"] for number in range(3)]
    listed = run("keys", "list", *form).stdout
    assert answer("keys", "deactivate", "-", given=listed)["changed"] == ids[::-1]
    assert answer("keys", "delete", "--yes", "-", given=" ".join(ids))["changed"] == ids
    assert answer("keys", "list") == {"items": [], "next": None, "previous": None}


def test_an_empty_standard_input_changes_nothing_and_is_no_error(run: Run, key_id: str) -> None:
    done = run("keys", "deactivate", "-", given="")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing was changed" in done.stderr


def test_edit_changes_what_is_named_and_leaves_the_rest(answer: Answer, key_id: str) -> None:
    before = answer("keys", "show", key_id)
    after = answer("keys", "edit", key_id, "-p", "DIR_MOVE,DIR_DELETE", "--expires", "1d")
    assert after["permissions"] == ["DIR_DELETE", "DIR_MOVE"]
    assert after["expires_at"] is not None
    assert (after["description"], after["hint"]) == (before["description"], before["hint"])

    after = answer("keys", "edit", key_id, "--never-expires", "--description", "hourly import")
    assert (after["expires_at"], after["description"]) == (None, "hourly import")
    assert after["permissions"] == ["DIR_DELETE", "DIR_MOVE"]
    assert answer("keys", "edit", key_id, "-p", "")["permissions"] == []


def test_list_filters(answer: Answer) -> None:
    def ids(*arguments: str) -> list[str]:
        return [key["id"] for key in answer("keys", "list", *arguments)["items"]]

    acme = answer("keys", "create", "Nightly import", "--project", "acme", "-p", "FILE_UPLOAD")["id"]
    every = answer("keys", "create", "deploy")["id"]
    answer("keys", "deactivate", every)
    assert ids() == [every, acme]
    assert ids("--project", "acme") == [acme]
    assert ids("--active") == [acme]
    assert ids("--inactive") == [every]
    assert ids("-p", "FILE_UPLOAD") == [acme]
    assert ids("--search", "NIGHT") == [acme]
    assert ids("--search", "imp night") == [acme]
    assert ids("--search", "mport") == []
    assert ids("--search", every) == [every]


def test_list_sorts(answer: Answer) -> None:
    def descriptions(*arguments: str) -> list[str]:
        return [key["description"] for key in answer("keys", "list", *arguments)["items"]]

    first = answer("keys", "create", "b")["id"]
    answer("keys", "create", "c")
    answer("keys", "create", "a")
    assert descriptions() == descriptions("--sort", "-created") == ["a", "c", "b"]
    assert descriptions("--sort", "created") == ["b", "c", "a"]
    assert descriptions("--sort", "description") == ["a", "b", "c"]
    assert descriptions("--sort", "-description") == ["c", "b", "a"]
    answer("keys", "deactivate", first)
    assert descriptions("--sort", "-updated") == ["b", "a", "c"]
    assert descriptions("--sort", "updated", "--all") == ["c", "a", "b"]


def test_a_key_can_be_made_switched_off(run: Run, answer: Answer, database: str) -> None:
    secret = run("keys", "create", "x", "--inactive", "--quiet").stdout.strip()
    assert asyncio.run(outcome_of(database, secret)) is Outcome.DEACTIVATED
    run("keys", "activate", secret.split("_")[1])
    assert asyncio.run(outcome_of(database, secret)) is Outcome.VALID


def test_list_pages_follow_on_and_all_walks_them(run: Run, answer: Answer) -> None:
    ids = [answer("keys", "create", f"key {number}")["id"] for number in range(5)][::-1]
    first = answer("keys", "list", "--limit", "2")
    second = answer("keys", "list", "--limit", "2", "--after", first["next"])
    assert [key["id"] for key in first["items"] + second["items"]] == ids[:4]
    assert answer("keys", "list", "--all", "--limit", "2")["next"] is None
    assert run("keys", "list", "--all", "--quiet").stdout.split() == ids

    done = run("keys", "list", "--limit", "2")
    assert len(done.stdout.splitlines()) == 2
    assert f"--after {first['next']}" in done.stderr


def test_all_walks_more_than_the_longest_page(run: Run, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.cli.output.paging.PAGE_MAX", 2)
    ids = [answer("keys", "create", f"key {number}")["id"] for number in range(5)][::-1]
    assert run("keys", "list", "--all", "--quiet").stdout.split() == ids


def test_a_pipe_gets_a_line_per_key_in_full(run: Run, answer: Answer) -> None:
    description, project = "d" * 200, "p" * 100
    made = answer("keys", "create", description, "--project", project, "-p", "DIR_MOVE,FILE_MOVE", "--expires", "1d")
    expires = datetime.fromisoformat(made["expires_at"]).isoformat()
    line = "\t".join([made["id"], "expiring", project, description, "DIR_MOVE,FILE_MOVE", expires, ""])  # never used
    assert run("keys", "list").stdout == f"{line}\n"


def test_list_and_count_tell_states_and_expiries(run: Run, answer: Answer) -> None:
    spans = {"soon": "5d", "late": "90d", "never": None, "off": None}
    ids = {}
    for name, span in spans.items():
        expires = () if span is None else ("--expires", span)
        ids[name] = answer("keys", "create", name, *expires, *(["--project", "acme"] if span else []))["id"]
    answer("keys", "deactivate", ids["off"])

    def found(*options: str) -> list[str]:
        names = [key["description"] for key in answer("keys", "list", *options)["items"]]
        filters = [option for option in options if option not in {"--sort", "expires", "-expires"}]
        assert answer("keys", "count", *filters) == {"number": len(names), "exact": True}
        return names

    assert found("--state", "expiring") == ["soon"]
    assert found("--state", "expiring", "--expires-within", "100d", "--sort", "expires") == ["soon", "late"]
    assert found("--active", "--sort", "-expires") == ["never", "late", "soon"]
    assert found("--state", "deactivated") == found("--inactive") == ["off"]
    assert found("--state", "expired") == []
    assert found("--expires-before", "30d") == ["soon"]
    assert found("--never-expires", "--state", "active") == ["never"]
    assert found("--company-wide") == ["off", "never"]
    assert found("--no-permissions", "--project", "acme") == ["late", "soon"]
    statuses = [line.split("\t")[1] for line in run("keys", "list", "--sort", "expires").stdout.splitlines()]
    assert sorted(statuses) == ["active", "active", "deactivated", "expiring"]
    assert run("keys", "count").stdout == "4\n"
    assert run("keys", "projects").stdout == "acme\n"
    first = answer("keys", "list", "--limit", "2")
    second = answer("keys", "list", "--limit", "2", "--after", first["next"])
    assert answer("keys", "list", "--limit", "2", "--before", second["previous"]) == first


def test_the_old_secret_is_shown_and_ended(run: Run, answer: Answer, key_id: str) -> None:
    assert answer("keys", "show", key_id)["old_secret"] is None
    hint = answer("keys", "show", key_id)["hint"]
    rotated = run("keys", "rotate", key_id, "--grace", "1h")
    assert f"works for 1h more; gatepost keys end-grace {key_id} ends it now" in rotated.stderr
    assert answer("keys", "show", key_id)["old_secret"]["hint"] == hint
    assert f"old secret\t{hint} 20" in run("keys", "show", key_id).stdout
    ended = run("keys", "end-grace", key_id)
    assert (ended.exit_code, f"{key_id}\tended" in ended.stdout) == (0, True)
    assert "old secret" not in run("keys", "show", key_id).stdout
    assert answer("keys", "end-grace", key_id)["unchanged"] == [key_id]
    assert answer("keys", "events", key_id)["items"][0]["kind"] == "grace_ended"


def test_rotating_with_grace_0_kills_the_old_secret_at_once(run: Run, database: str) -> None:
    first = run("keys", "create", "x", "--quiet").stdout.strip()
    key_id = first.split("_")[1]
    second = run("keys", "rotate", key_id, "--grace", "1h", "--quiet").stdout.strip()
    assert asyncio.run(outcome_of(database, first)) is Outcome.VALID
    third = run("keys", "rotate", key_id, "--grace", "0", "--quiet").stdout.strip()
    outcomes = [asyncio.run(outcome_of(database, secret)) for secret in (first, second, third)]
    assert outcomes == [Outcome.INVALID, Outcome.INVALID, Outcome.VALID]


def test_secrets_are_made_with_the_prefix_and_the_server_key_of_the_environment(
    run: Run, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_key = bytes(range(32))
    monkeypatch.setenv("GATEPOST_SERVER_KEYS", f"{server_key.hex()},{'ff' * 32}")
    monkeypatch.setenv("GATEPOST_PREFIX", "acme_live")
    secret = run("keys", "create", "x", "--quiet").stdout.strip()
    assert secret.startswith("acme_live_")
    assert asyncio.run(outcome_of(database, secret, prefix="acme_live", server_keys=[server_key])) is Outcome.VALID
    assert asyncio.run(outcome_of(database, secret, prefix="acme_live")) is Outcome.INVALID


@pytest.mark.parametrize("server_keys", ["zz", f"{'aa' * 32},secret", "aabb"])
def test_a_server_key_that_is_none_is_an_error_without_its_text(
    run: Run, key_id: str, monkeypatch: pytest.MonkeyPatch, server_keys: str
) -> None:
    monkeypatch.setenv("GATEPOST_SERVER_KEYS", server_keys)
    done = run("keys", "list")
    assert done.exit_code == 2
    assert not any(text in done.stderr for text in server_keys.split(","))


def test_a_receipt_tells_what_an_actor_may_not_change(capsys: pytest.CaptureFixture[str]) -> None:
    settled = Propagation(complete=True, holds_from=None, seconds=0.0)
    receipt = Receipt(None, (), (), ("b",), settled, {"a": "It is yours"})
    print_receipt(receipt, "deleted", as_json=False)
    assert capsys.readouterr().out == "b\tunknown\na\tdenied\n"
    print_receipt(receipt, "deleted", as_json=True)
    assert orjson.loads(capsys.readouterr().out)["denied"] == {"a": "It is yours"}


def test_an_sqlite_file_is_made_by_create_alone_and_said(run: Run, tmp_path: Path) -> None:
    for arguments in (
        ("list",),
        ("show", "x"),
        ("deactivate", "x"),
        ("delete", "x", "--yes"),
        ("import", "-"),
        ("export",),
    ):
        done = run("keys", *arguments)
        assert done.exit_code == 4
        assert "There is no SQLite file" in done.stderr
    assert not list(tmp_path.iterdir())
    assert f"Made the SQLite file {tmp_path / 'keys.db'}" in run("keys", "create", "x").stderr
    assert run("keys", "create", "y", "--quiet").stderr == ""


def test_an_sqlite_file_that_cannot_be_is_bad_input(run: Run, tmp_path: Path) -> None:
    for path in ("nowhere/keys.db", tmp_path):
        for verb in (("keys", "create", "x"), ("keys", "list"), ("db", "upgrade"), ("db", "status")):
            done = run(*verb, "--database", f"sqlite:///{path}")
            assert (done.exit_code, done.stdout) == (2, "")
            assert done.stderr.startswith("Error: --database: ")


def test_a_file_that_is_no_database_exits_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "keys.db").write_text("no database at all" * 100)
    done = run("keys", "list", "--json")
    assert done.exit_code == 1
    assert orjson.loads(done.stderr)["error"] == "unavailable"


def test_where_a_key_may_be_used_from(run: Run, answer: Answer) -> None:
    made = answer("keys", "create", "office", "--allow", "2001:db8::/32,203.0.113.0/24", "--allow", "192.0.2.1")
    assert made["allow"] == ["192.0.2.1/32", "203.0.113.0/24", "2001:db8::/32"]
    assert ["allowed from", "192.0.2.1/32,203.0.113.0/24,2001:db8::/32"] in [
        line.split("\t") for line in run("keys", "show", made["id"]).stdout.splitlines()
    ]
    for address, code in (("203.0.113.9", 0), ("198.51.100.7", 7), (None, 7)):
        asked = ("--address", address) if address else ()
        done = run("keys", "whoami", *asked, given=made["secret"])
        assert done.exit_code == code
        assert done.stdout.splitlines()[0].split("\t")[1] == ("address_denied" if code else "valid")
    assert run("keys", "whoami", "--address", "203.0.113.9:80", given=made["secret"]).exit_code == 2
    assert answer("keys", "edit", made["id"], "--allow", "")["allow"] == []
    assert answer("keys", "edit", made["id"], "--anywhere")["allow"] is None
    assert answer("keys", "create", "free")["allow"] is None
    for wrong in (("--allow", "10.0.0.1/8"), ("--anywhere", "--allow", "10.0.0.0/8")):
        assert run("keys", "edit", made["id"], *wrong).exit_code == 2
    log = run("keys", "events", made["id"]).stdout
    assert "allow: nowhere -> anywhere" in log
    assert "allow: 192.0.2.1/32,203.0.113.0/24,2001:db8::/32 -> nowhere" in log
