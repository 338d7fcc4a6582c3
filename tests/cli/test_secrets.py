"""`gatepost keys reveal` and `whoami`."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from cryptography.fernet import Fernet

from gatepost.base.secret import secret_pattern
from tests.cli.conftest import Run, Shell, Terminal

Answer = Callable[..., Any]


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of a vault, which the environment names."""
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("GATEPOST_VAULT_KEYS", key)
    return key


def test_reveal_shows_the_secret_again_and_the_log_tells_who_asked(run: Run, answer: Answer, vault: str) -> None:
    secret = run("keys", "create", "x", "--quiet").stdout.strip()
    key_id = secret.split("_")[1]
    assert answer("keys", "reveal", key_id) == {"id": key_id, "secret": secret}
    assert run("keys", "reveal", key_id, "--quiet").stdout == f"{secret}\n"
    done = run("keys", "reveal", key_id, "--actor", "Ada")
    assert done.stdout == f"id\t{key_id}\nsecret\t{secret}\n"
    assert secret not in done.stderr
    told = [(event["kind"], event["actor"]) for event in answer("keys", "events", key_id)["items"]]
    assert told[0] == ("revealed", "Ada")
    assert [kind for kind, _ in told] == ["revealed"] * 3 + ["created"]


def test_reveal_after_a_rotation_shows_the_new_secret(run: Run, vault: str) -> None:
    key_id = run("keys", "create", "x", "--quiet").stdout.split("_")[1]
    secret = run("keys", "rotate", key_id, "--grace", "1h", "--quiet").stdout
    assert run("keys", "reveal", key_id, "--quiet").stdout == secret


def test_a_terminal_shows_a_revealed_secret_unbroken_on_a_line_of_its_own(
    run: Run, terminal: Terminal, vault: str
) -> None:
    key_id = run("keys", "create", "x", "--quiet").stdout.split("_")[1]
    code, shown = terminal("keys", "reveal", key_id)
    assert code == 0
    assert re.search(rf"^{secret_pattern()}$", shown, re.MULTILINE)


def test_no_command_but_reveal_shows_a_secret_that_is_in_the_vault(run: Run, vault: str, answer: Answer) -> None:
    key_id = run("keys", "create", "x", "--quiet").stdout.split("_")[1]
    for verb in (("list",), ("show", key_id), ("edit", key_id, "--description", "y"), ("export",), ("events",)):
        for form in ((), ("--json",)):
            done = run("keys", *verb, *form)
            assert done.exit_code == 0
            assert not re.search(secret_pattern(), done.output)


def test_what_is_said_of_a_new_secret_depends_on_the_vault(
    run: Run, vault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "gatepost keys reveal shows it again" in run("keys", "create", "x").stderr
    monkeypatch.delenv("GATEPOST_VAULT_KEYS")
    assert "shown only now" in run("keys", "create", "x").stderr


def test_without_a_vault_or_its_key_nothing_is_revealed(run: Run, vault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key_id = run("keys", "create", "x", "--quiet").stdout.split("_")[1]
    monkeypatch.setenv("GATEPOST_VAULT_KEYS", Fernet.generate_key().decode())
    other = run("keys", "reveal", key_id, "--json")
    monkeypatch.delenv("GATEPOST_VAULT_KEYS")
    without = run("keys", "reveal", key_id, "--json")
    for done in (other, without):
        assert (done.exit_code, done.stdout) == (1, "")
        assert orjson.loads(done.stderr)["error"] == "secret_not_stored"
    assert "GATEPOST_VAULT_KEYS" in without.stderr


def test_several_vault_keys_open_what_each_has_sealed(run: Run, vault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key_id = run("keys", "create", "x", "--quiet").stdout.split("_")[1]
    monkeypatch.setenv("GATEPOST_VAULT_KEYS", f"{Fernet.generate_key().decode()}, {vault}")
    assert run("keys", "reveal", key_id).exit_code == 0


@pytest.mark.parametrize("keys", ["zz", "c2hvcnQ=", "é" * 44, "GOOD,not-a-key"])
def test_a_vault_key_that_is_none_is_an_error_without_its_text(
    run: Run, vault: str, monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    run("keys", "create", "x")
    monkeypatch.setenv("GATEPOST_VAULT_KEYS", keys.replace("GOOD", vault))
    done = run("keys", "list")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "vault" in done.stderr
    assert not any(text in done.stderr for text in (vault, *keys.split(",")))


@pytest.fixture
def secret(run: Run) -> str:
    """The secret of a key that may be used."""
    return run("keys", "create", "nightly import", "-p", "FILE_MOVE", "--project", "acme", "--quiet").stdout.strip()


def test_whoami_tells_the_key_and_exits_0_while_it_may_be_used(run: Run, answer: Answer, secret: str) -> None:
    told = answer("keys", "whoami", given=f"{secret}\n")
    assert (told["outcome"], told["usable"]) == ("valid", True)
    known = answer("keys", "show", secret.split("_")[1])
    assert told["key"] == known | {"hint": None}
    done = run("keys", "whoami", given=secret)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"outcome\tvalid\nid\t{known['id']}\ndescription\tnightly import\n")


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (("deactivate", "ID"), "key_deactivated"),
        (("delete", "ID", "--yes"), "key_invalid"),
        (("rotate", "ID", "--grace", "0"), "key_invalid"),
        (("rotate", "ID", "--grace", "0.001"), "key_expired"),
    ],
)
def test_whoami_exits_7_for_a_secret_that_may_not_be_used(
    run: Run, secret: str, change: tuple[str, ...], outcome: str
) -> None:
    key_id = secret.split("_")[1]
    run("keys", *(key_id if word == "ID" else word for word in change))
    done = run("keys", "whoami", given=secret)
    assert done.exit_code == 7
    assert done.stdout.splitlines()[0] == f"outcome\t{outcome}"
    told = run("keys", "whoami", "--json", given=secret)
    assert (told.exit_code, told.stderr) == (7, "")
    said = orjson.loads(told.stdout)
    assert (said["outcome"], said["usable"]) == (outcome, False)
    assert (said["key"] is None) == (outcome == "key_invalid")


@pytest.mark.parametrize("given", ["nonsense", "gp_000000000000_" + "0" * 49, "é\n"])
def test_whoami_of_what_was_never_made_exits_7(run: Run, secret: str, given: str) -> None:
    done = run("keys", "whoami", given=given)
    assert (done.exit_code, done.stdout) == (7, "outcome\tkey_invalid\n")


@pytest.mark.parametrize("given", ["", "\n", "SECRET\nSECRET\n", "x" * 513, "x" * 600])
def test_whoami_takes_one_line_and_shows_nothing_of_it(run: Run, secret: str, given: str) -> None:
    done = run("keys", "whoami", given=given.replace("SECRET", secret))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "one line" in done.stderr
    assert secret not in done.stderr
    assert "xx" not in done.stderr


def test_whoami_never_takes_a_secret_as_an_argument(shell: Shell, run: Run, secret: str) -> None:
    for form in ((), ("--json",)):
        done = shell("keys", "whoami", secret, *form)
        assert (done.returncode, done.stdout) == (2, "")
        assert "never an argument" in done.stderr
        assert secret not in done.stderr


def test_whoami_at_a_terminal_asks_and_shows_nothing_that_is_typed(terminal: Terminal, secret: str) -> None:
    code, shown = terminal("keys", "whoami", typed=f"{secret}\n", prompt="Secret: ")
    assert code == 0
    assert "Secret:" in shown
    assert "valid: it may be used" in shown
    assert secret not in shown.partition("Secret:")[2]


def test_whoami_knows_imported_keys_only_as_an_app_does_that_looks_them_up(run: Run, secret: str) -> None:
    digest = hashlib.sha256(b"made elsewhere").hexdigest()
    run("keys", "import", "-", given=f'{{"digest": "{digest}", "description": "old"}}\n')
    assert run("keys", "whoami", given="made elsewhere\n").exit_code == 7
    done = run("keys", "whoami", "--foreign", given="made elsewhere\n")
    assert done.exit_code == 0
    assert "description\told" in done.stdout
