"""`APIKeys.from_env`: each argument has a variable."""

import inspect
import logging
import re
from pathlib import Path

import pytest

from gatepost import DAM, APIKeys, BadInputError, Catalogue
from gatepost.keys.parts.variables import APP, VARIABLES, argument_of, read


class Notes(Catalogue):
    """An app's own."""

    NOTES_READ = "read notes"


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    import os  # noqa: PLC0415

    for name in list(os.environ):
        if name.startswith("GATEPOST_"):
            monkeypatch.delenv(name)


def test_each_argument_has_a_variable_and_both_are_documented() -> None:
    arguments = set(inspect.signature(APIKeys).parameters)
    assert {argument_of(name) for name in VARIABLES} == arguments
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    assert not [name for name in (*VARIABLES, *arguments, APP) if f"`{name}`" not in page]


def test_the_table_of_settings_has_the_defaults_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    table = re.findall(r"^\| `(\w+)` \| `(GATEPOST_\w+)` \| (.+?) \|", page, re.MULTILINE)
    defaults = {name: each.default for name, each in inspect.signature(APIKeys).parameters.items()}
    assert [name for name, _, _ in table] == [argument_of(variable) for _, variable, _ in table]
    assert {name for name, _, _ in table} == set(defaults)
    in_words = {
        "redis": "none",
        "environment": "none",
        "server_keys": "one that is in the database",
        "vault_keys": "no vault",
        "catalogue": f"the {len([*DAM])} built-in permissions",
    }
    for name, _, told in table:
        default = defaults[name]
        plain = str(default).lower().removesuffix(".0")
        assert told.strip("`") == in_words.get(name, plain), name


def test_what_the_environment_says_is_what_the_keys_go_by(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    said = {
        "GATEPOST_DATABASE": sqlite_url,
        "GATEPOST_REDIS": "redis://localhost:1/0",
        "GATEPOST_CATALOGUE": "tests.keyring.test_variables:Notes",
        "GATEPOST_PREFIX": "acme",
        "GATEPOST_SERVER_KEYS": f"{'aa' * 32},{'bb' * 32}",
        "GATEPOST_FOREIGN_SECRETS": "True",
        "GATEPOST_MAX_STALENESS": "4",
        "GATEPOST_POLL_INTERVAL": "0.5",
        "GATEPOST_MEMORY_ENTRIES": "10",
        "GATEPOST_READ_TIMEOUT": "",
    }
    for name, text in said.items():
        monkeypatch.setenv(name, text)
    keys = APIKeys.from_env()
    expected = APIKeys(
        sqlite_url,
        "redis://localhost:1/0",
        catalogue=Notes,
        prefix="acme",
        server_keys=[b"\xaa" * 32, b"\xbb" * 32],
        foreign_secrets=True,
        max_staleness=4,
        poll_interval=0.5,
        memory_entries=10,
    )
    assert keys._parts.settings == expected._parts.settings
    assert APIKeys.from_env(prefix="other", database="sqlite:///other.db")._parts.settings.prefix == "other"


def test_what_is_given_need_not_be_right_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_CATALOGUE", "nowhere:Nothing")
    assert APIKeys.from_env(catalogue=Notes).catalogue is Notes


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("GATEPOST_DATABSE", "x", "Did you mean GATEPOST_DATABASE"),
        ("GATEPOST_REDIS_URL", "hunter2", "Did you mean GATEPOST_REDIS"),
        ("GATEPOST_URL", "hunter2", "Did you mean GATEPOST_DATABASE"),
        ("GATEPOST_DATABASE_URL", "hunter2", "Did you mean GATEPOST_DATABASE"),
        ("GATEPOST_COLOUR", "hunter2", "There are: GATEPOST_ABSENT_TTL, "),
        ("GATEPOST_SERVER_KEYS", "hunter2", "entry 1 is not hexadecimal"),
        ("GATEPOST_MAX_STALENESS", "soon", "a number of seconds, not 'soon'"),
        ("GATEPOST_MEMORY_ENTRIES", "1.5", "a whole number, not '1.5'"),
        ("GATEPOST_FOREIGN_SECRETS", "perhaps", "true or false"),
        ("GATEPOST_CATALOGUE", "nowhere", "MODULE:NAME"),
        ("GATEPOST_CATALOGUE", "json:dumps", "not a subclass"),
    ],
)
def test_what_cannot_be_used_is_named_and_no_secret_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, told: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(BadInputError, match=told) as raised:
        APIKeys.from_env()
    assert "hunter2" not in str(raised.value)


REFUSED = {
    "GATEPOST_DATABASE": "mongodb://hunter2@localhost/keys",
    "GATEPOST_REDIS": "http://hunter2@localhost",
    "GATEPOST_CATALOGUE": "json:dumps",
    "GATEPOST_PREFIX": "Gp",
    "GATEPOST_SERVER_KEYS": "abcd",
    "GATEPOST_VAULT_KEYS": "hunter2",
    "GATEPOST_FOREIGN_SECRETS": "perhaps",
    "GATEPOST_MAX_STALENESS": "-1",
    "GATEPOST_POLL_INTERVAL": "100",
    "GATEPOST_MEMORY_ENTRIES": "-3",
    "GATEPOST_MEMORY_TTL": "nan",
    "GATEPOST_REDIS_TTL": "0",
    "GATEPOST_ABSENT_TTL": "-0.5",
    "GATEPOST_READ_TIMEOUT": "inf",
    "GATEPOST_REDIS_TIMEOUT": "0",
    "GATEPOST_MAX_GRACE": "-1",
    "GATEPOST_USAGE": "perhaps",
    "GATEPOST_ENVIRONMENT": "prod",
}
"""A text for each variable that its argument cannot be."""


def test_there_is_a_text_to_be_refused_for_each_variable() -> None:
    assert tuple(REFUSED) == VARIABLES


@pytest.mark.parametrize(("name", "text"), REFUSED.items())
async def test_a_value_that_is_refused_is_told_with_the_variable_that_gave_it(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(BadInputError) as raised:
        async with APIKeys.from_env():
            pass
    told = str(raised.value)
    assert told.startswith(name)
    assert told.count(name) == 1
    assert "hunter2" not in told
    assert "abcd" not in told


async def test_of_two_that_do_not_fit_the_one_is_named_that_the_environment_gave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEPOST_MAX_STALENESS", "1")
    with pytest.raises(BadInputError, match=r"^GATEPOST_MAX_STALENESS: poll_interval \(1.0 s\) must be"):
        APIKeys.from_env()


@pytest.mark.parametrize(
    "arguments", [{"max_staleness": -1}, {"environment": "prod"}, {"prefix": "Gp"}, {"redis": "http://localhost"}]
)
async def test_what_was_given_in_the_code_is_not_said_to_be_the_environments(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, object]
) -> None:
    for name in arguments:
        monkeypatch.setenv(f"GATEPOST_{name.upper()}", "test")
    monkeypatch.setenv("GATEPOST_POLL_INTERVAL", "0.5")
    with pytest.raises(BadInputError) as raised:
        async with APIKeys.from_env(**arguments):
            pass
    assert "GATEPOST_" not in str(raised.value)


async def test_those_that_are_alike_name_the_variable_too(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    monkeypatch.setenv("GATEPOST_REDIS", "http://localhost")
    monkeypatch.setenv("GATEPOST_DATABASE", sqlite_url)
    for alike, begins in (({}, "GATEPOST_REDIS: redis"), ({"redis": "http://localhost"}, "redis")):
        with pytest.raises(BadInputError, match=f"^{begins}"):
            await APIKeys.from_env().alike(**alike).open()


def test_what_kubernetes_sets_for_a_service_of_this_name_is_no_mistake() -> None:
    names = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8400_TCP", "PORT_8400_TCP_ADDR")
    assert read({f"GATEPOST_{name}": "tcp://10.0.0.1:8400" for name in names}) == {}


async def test_keys_that_are_alike_open_what_the_first_ones_made(sqlite_url: str) -> None:
    first = APIKeys(sqlite_url, catalogue=Notes, prefix="acme", server_keys=[bytes(32)], foreign_secrets=True)
    async with first:
        issued = await first.create("x", ["NOTES_READ"])
        async with first.alike(memory_entries=0) as second:
            assert (await second.verify(issued.secret)).valid
            assert second.foreign_secrets


async def test_a_new_sqlite_file_is_told_of_once_with_its_whole_path(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gatepost.database")
    for _ in range(2):
        async with APIKeys(sqlite_url):
            pass
    async with APIKeys("sqlite://"):
        pass
    told = [record.getMessage() for record in caplog.records if record.name == "gatepost.database"]
    assert told == [f"Made a new SQLite database, since there was none: {tmp_path}/keys.db"]
