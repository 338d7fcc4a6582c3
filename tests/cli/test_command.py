"""The command as a whole: help, documentation, extras, catalogues, the demo's options."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.main import get_command

import gatepost
from gatepost import DAM
from gatepost.cli.app import app, command
from gatepost.cli.codes import ExitCode
from tests.benchmarks.executed import calls
from tests.cli.conftest import COMMAND, Run, Shell, environment

PAGE = (Path(__file__).parents[2] / "docs" / "command.md").read_text()

NOTES = """
from gatepost import Catalogue

class Notes(Catalogue):
    NOTES_READ = "read notes"

def nothing(): ...
"""

BLOCKING = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
from gatepost.cli import main
main()
"""


def commands(command: Any = None, path: str = "gatepost") -> Iterator[tuple[str, Any]]:
    """Every command and group, with the words that call it."""
    command = get_command(app) if command is None else command
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{path} {name}")


COMMANDS = dict(commands())
VERBS = {
    path: command
    for path, command in COMMANDS.items()
    if path == "gatepost audit" or not hasattr(command, "commands")  # which does something itself
}


def run_without(blocked: set[str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command where these packages are not installed."""
    code = BLOCKING.format(blocked=blocked)
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_the_verbs_are_all_there() -> None:
    one_or_many = {"create", "list", "show", "edit", "activate", "deactivate", "rotate", "end-grace", "delete"}
    keys = one_or_many | {
        "events",
        "made-by",
        "reveal",
        "whoami",
        "import",
        "export",
        "count",
        "projects",
        "limits",
        "reset-limits",
        "usage",
        "stale",
        "issue",
        "expiring",
    }
    assert {path.removeprefix("gatepost ") for path in VERBS} == {
        *(f"keys {verb}" for verb in keys),
        *(
            f"templates {verb}"
            for verb in ("create", "list", "show", "edit", "rotate", "activate", "deactivate", "delete")
        ),
        *(f"roles {verb}" for verb in ("list", "show", "create", "edit", "delete")),
        "db upgrade",
        "db status",
        "db invalidate",
        "db prune",
        *(f"policies {verb}" for verb in ("set", "show", "list", "preview", "delete")),
        *(f"webhooks {verb}" for verb in ("status", "dead", "resend", "resume", "forget", "run")),
        "doctor",
        "audit",
        "audit log",
        "coverage",
        "permissions",
        "scanners",
        "serve",
        "demo",
    }


@pytest.mark.parametrize("path", VERBS)
def test_every_command_has_help_with_an_example_that_fits_a_line(run: Run, path: str) -> None:
    for flag in ("--help", "-h"):
        done = run(*path.split()[1:], flag)
        assert (done.exit_code, done.stderr) == (0, "")
        assert re.search(rf"^ \$ {path}", done.stdout, re.MULTILINE)
        assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert all(len(line) <= 78 for line in VERBS[path].epilog.splitlines())


@pytest.mark.parametrize("group", ["", "keys", "roles", "policies", "db", "webhooks"])
def test_a_group_without_a_command_shows_its_help_and_exits_2(run: Run, group: str) -> None:
    done = run(*group.split())
    assert done.exit_code == ExitCode.BAD_INPUT
    assert "Usage: gatepost" in done.stdout
    assert done.stderr == ""


def test_the_help_tells_every_exit_code(run: Run) -> None:
    shown = run("--help").stdout
    for code in ExitCode:
        assert re.search(rf"^ {code.value}  \w", shown, re.MULTILINE)
        assert re.search(rf"^\| {code.value} \| \w", PAGE, re.MULTILINE)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_on_the_page(path: str) -> None:
    shared, *_ = PAGE.partition("## `gatepost keys create`")
    section = ""
    if path in VERBS:
        heading = f"## `{path}`\n"
        assert heading in PAGE
        section = PAGE.partition(heading)[2].partition("\n## ")[0]
        assert f"$ {path}" in section
    for parameter in COMMANDS[path].params:
        for name in (*parameter.opts, *parameter.secondary_opts):
            if name.startswith("-"):
                assert re.search(rf"`{name}[ `]", section) or re.search(rf"[` ]{name}[ `]", shared), name
        if parameter.envvar:
            assert f"`{parameter.envvar}`" in PAGE


@pytest.mark.parametrize(
    "code",
    [
        "unavailable",
        "missing_extra",
        "aborted",
        "failed",
        "bad_input",
        "unknown_permission",
        "policy_denied",
        "usage",
        "key_not_found",
        "schema",
        "uncertain_commit",
        "secret_not_stored",
        "permission_denied",
        "force_needed",
        "stale_key",
        "idempotency_conflict",
        "still_spreading",
    ],
)
def test_every_error_code_is_on_the_page(code: str) -> None:
    assert f"`{code}`" in PAGE


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").stdout == f"gatepost {gatepost.__version__}\n"


def test_help_loads_no_database_and_no_redis_library() -> None:
    code = (
        "import sys; sys.argv = ['gatepost', '--help']\n"
        "from gatepost.cli import main\n"
        "try: main()\n"
        "except SystemExit: print('loaded', *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("loaded")[2].split())
    assert "typer" in loaded
    assert not loaded & {"sqlalchemy", "alembic", "redis", "aiosqlite", "uvicorn", "PIL"}


def test_only_the_command_that_is_named_is_built() -> None:
    """Typer builds each from its function's signature: all sixty take longer than most commands do."""
    whole = sum(calls(lambda: get_command(app)).values())
    for name in get_command(app).commands:  # type: ignore[attr-defined]  # a group's
        assert list(get_command(command([name, "--help"])).commands) == [name]  # type: ignore[attr-defined]
    assert sum(calls(lambda: get_command(command(["coverage", "main:app"]))).values()) < whole / 20


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], ["covrage"], ["Keys"]])
def test_what_begins_with_no_command_is_told_of_all(arguments: list[str]) -> None:
    assert command(arguments) is app


def test_importing_the_command_loads_neither_typer_nor_rich() -> None:
    code = "import gatepost.cli, sys; print({'typer', 'rich', 'orjson'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"typer", "rich"} & set(re.findall(r"\w+", done.stdout))


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_without_the_extra_one_line_names_the_command_that_installs_it(library: str) -> None:
    done = run_without({library}, "keys", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {library} is not installed. Run: pip install 'gatepost[cli]'\n"

    done = run_without({library}, "keys", "list", "--json")
    assert done.returncode == 1
    assert orjson.loads(done.stderr)["error"] == "missing_extra"


@pytest.mark.parametrize(("module", "name"), [("uvicorn", "uvicorn"), ("PIL", "pillow")])
def test_the_demo_without_its_extra_names_the_command_that_installs_it(module: str, name: str) -> None:
    done = run_without({module}, "demo")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {name} is not installed. Run: pip install 'gatepost[demo]'\n"


def test_serve_without_its_extra_names_the_command_that_installs_it(run: Run) -> None:
    run("keys", "create", "x")
    for module, extra in (("uvicorn", "serve"), ("jinja2", "admin")):
        done = run_without({module}, "serve")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"Error: {module} is not installed. Run: pip install 'gatepost[{extra}]'\n"


def test_the_demo_ignores_the_environment_of_the_keys(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    given: list[object] = []
    monkeypatch.setattr("gatepost.cli.demo.run", lambda *arguments: given.extend(arguments))
    monkeypatch.setenv("GATEPOST_REDIS", "redis://localhost")
    assert run("demo").exit_code == 0
    assert run("demo", "--database", "sqlite://", "--redis", "redis://r", "--host", "::1", "--port", "1").exit_code == 0
    assert given == [None, None, "127.0.0.1", 8000, "sqlite://", "redis://r", "::1", 1]


def test_permissions_are_listed_with_their_sentences(run: Run) -> None:
    assert run("permissions").stdout.splitlines() == [f"{each}\t{each.sentence}" for each in DAM]
    listed = orjson.loads(run("permissions", "--json").stdout)
    assert listed["items"][0] == {"name": "OBJECTS_LIST", "sentence": "list assets"}
    assert len(listed["items"]) == 31


def test_an_apps_own_catalogue_is_found_in_the_current_folder(shell: Shell, database: str, tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text(NOTES)
    assert shell("permissions", "--catalogue", "notes:Notes").stdout == "NOTES_READ\tread notes\n"
    made = shell("keys", "create", "x", "-p", "NOTES_READ", "--catalogue", "notes:Notes", "--json")
    assert orjson.loads(made.stdout)["permissions"] == ["NOTES_READ"]
    assert shell("keys", "create", "x", "-p", "FILE_MOVE", "--catalogue", "notes:Notes").returncode == 2


@pytest.mark.parametrize(
    "given", ["notes", ":Notes", "nowhere:Notes", "notes:Nowhere", "notes:nothing", "broken:Notes"]
)
def test_a_catalogue_that_cannot_be_used_is_one_clear_line(shell: Shell, tmp_path: Path, given: str) -> None:
    (tmp_path / "notes.py").write_text(NOTES)
    (tmp_path / "broken.py").write_text("1 / 0")
    done = shell("permissions", "--catalogue", given)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"Error: --catalogue '{given}'.+\n", done.stderr)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("keys create x -p FILE_U", "FILE_UPLOAD"),
        ("keys list -p OBJECTS_LIST,DIR_R", "OBJECTS_LIST,DIR_RENAME"),
        ("keys list --sort desc", "description"),
        ("keys list -p NOTES_ --catalogue notes:Notes", ""),
        ("keys list --catalogue notes:Notes -p NOTES_", "NOTES_READ"),
        ("keys list --catalogue nowhere:Notes -p NOTES_", ""),
        ("keys ev", "events"),
    ],
)
def test_the_tab_key_completes_commands_permissions_and_orders(tmp_path: Path, typed: str, completed: str) -> None:
    (tmp_path / "notes.py").write_text(NOTES)
    words = ["gatepost", *typed.split()]
    asked = {"_GATEPOST_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    script = Path(sys.executable).parent / "gatepost"
    done = subprocess.run([script], capture_output=True, text=True, check=False, env=environment() | asked)
    assert (done.stdout.strip(), done.stderr) == (completed, "")


def test_an_unexpected_error_is_one_line_and_debug_shows_where(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: str | None) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("gatepost.cli.app.catalogue_of", broken)
    done = run("permissions")
    assert done.exit_code == ExitCode.FAILED
    assert done.stderr == "Error: RuntimeError: two lines (--debug shows where)\n"
    assert "in broken" in run("permissions", "--debug").stderr


@pytest.mark.parametrize("arguments", [("--nonsense",), ("keys", "nonsense"), ("demo", "--port", "65536")])
def test_wrong_usage_is_one_line_that_names_the_help(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: .+ Help: gatepost.* --help\n", done.stderr)


def test_words_after_two_dashes_are_no_options(run: Run) -> None:
    done = run("keys", "create", "-p", "NOPE", "--", "--json")
    assert done.exit_code == 2
    assert done.stderr == "Error: No permission 'NOPE' in the catalogue DAM.\n"


def test_the_installed_script_is_the_same_command() -> None:
    script = Path(sys.executable).parent / "gatepost"
    asked = [
        subprocess.run([*command, "--help"], capture_output=True, check=True).stdout for command in ([script], COMMAND)
    ]
    assert asked[0] == asked[1]
