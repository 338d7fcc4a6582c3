"""Options that many commands share, and what is made of them."""

import getpass
import os
import socket
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Context, Option

from gatepost.catalogue import DAM, Catalogue
from gatepost.cli.arguments import format_span, parse_seconds, parse_when
from gatepost.errors import BadInputError, SchemaError
from gatepost.keyring import DEFAULT_DATABASE, MAX_GRACE, PAGE_MAX, APIKeys, Wait
from gatepost.models import ADDRESS_MAX, EXPIRING_SECONDS, Actor
from gatepost.secret import DEFAULT_PREFIX

if TYPE_CHECKING:
    from gatepost.selection import Which

SERVER_KEYS = "GATEPOST_SERVER_KEYS"
"""Environment variable with the server keys. Never an argument: those are seen by everybody on the machine."""

VAULT_KEYS = "GATEPOST_VAULT_KEYS"
"""Environment variable with the keys of the vault, never an argument for the same reason."""

REDIS_SECONDS = 1.0
"""Longest exchange with Redis: a command has more time than a request, and may be run from far away."""

_CONNECTION = "Connection"
_OUTPUT = "Output"
_SORT_HELP = "created, updated, description or expires; with - in front the last ones first."

CatalogueOption = Annotated[
    str | None,
    Option(
        "--catalogue",
        envvar="GATEPOST_CATALOGUE",
        metavar="MODULE:CLASS",
        help="The app's own permissions. Default: the 31 built-in ones.",
        rich_help_panel=_CONNECTION,
    ),
]


def complete_permission(context: Context, incomplete: str) -> list[tuple[str, str]]:
    """The permissions that go on from what is typed, after the last comma, each with its sentence."""
    try:
        known = load_catalogue(context.params.get("catalogue") or os.environ.get("GATEPOST_CATALOGUE"))
    except BadInputError:
        return []
    before, comma, begun = incomplete.rpartition(",")
    return [(f"{before}{comma}{each}", each.sentence) for each in known if each.startswith(begun)]


KeyId = Annotated[str, Argument(metavar="ID", help="The key's id, 12 characters.")]
Limit = Annotated[int, Option("--limit", metavar="N", min=1, max=PAGE_MAX, help="Most entries on a page.")]
After = Annotated[
    str | None, Option("--after", metavar="PLACE", help="Go on from there: the `next` of the page before.")
]
Before = Annotated[
    str | None, Option("--before", metavar="PLACE", help="Go back from there: the `previous` of the page behind.")
]
EveryPage = Annotated[bool, Option("--all", help="Every page, not only one.")]
QuietIds = Annotated[bool, Option("--quiet", "-q", help="Print the keys' ids alone, one a line.")]
NoWait = Annotated[bool, Option("--no-wait", help="Return once it is committed; tell by when every worker acts on it.")]
Timeout = Annotated[
    float | None,
    Option(
        "--timeout", metavar="SECONDS", min=0, help="Longest wait for the workers; then exit with 6. Default: none."
    ),
]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every command takes."""

    as_json: Annotated[
        bool, Option("--json", help="Print JSON, for programs; errors too, on stderr.", rich_help_panel=_OUTPUT)
    ] = False
    debug: Annotated[bool, Option("--debug", help="Show where an error comes from.", rich_help_panel=_OUTPUT)] = False


@dataclass(frozen=True, kw_only=True)
class DatabaseOptions(Options):
    """What every command takes that reads the database."""

    database: Annotated[
        str,
        Option(
            "--database",
            envvar="GATEPOST_DATABASE",
            metavar="URL",
            help="SQLite, PostgreSQL, MariaDB or MySQL.",
            rich_help_panel=_CONNECTION,
        ),
    ] = DEFAULT_DATABASE

    def sqlite_file(self) -> Path | None:
        """The file that the URL names, `None` where it names something else.

        Raises `BadInputError`, also where no such file can be.
        """
        from gatepost.database.engine import parse_url  # noqa: PLC0415 - SQLAlchemy is slow to import

        url = parse_url(self.database)
        if url.get_backend_name() != "sqlite" or not url.database or url.database.startswith((":memory:", "file:")):
            return None
        file = Path(url.database).absolute()
        if file.is_dir() or not file.parent.is_dir():
            raise BadInputError(f"--database: {file} cannot be an SQLite file, since it is a folder or has none")
        return file

    def database_name(self) -> str:
        """The URL without anything secret: password and query left out."""
        from gatepost.database.engine import parse_url  # noqa: PLC0415 - SQLAlchemy is slow to import

        return parse_url(self.database).set(query={}).render_as_string(hide_password=True)

    def check_file(self) -> None:
        """Raise `SchemaError` where the URL names an SQLite file that does not exist: in a wrong folder, an empty
        list of keys would be a wrong answer, and a new file a surprise."""
        file = self.sqlite_file()
        if file is not None and not file.exists():
            raise SchemaError(
                f"There is no SQLite file {file}. Name another one with --database or GATEPOST_DATABASE, "
                f"or make it: gatepost db upgrade --database {self.database}"
            )


@dataclass(frozen=True, kw_only=True)
class KeysOptions(DatabaseOptions):
    """What every command takes that reads keys."""

    redis: Annotated[
        str | None,
        Option(
            "--redis",
            envvar="GATEPOST_REDIS",
            metavar="URL",
            help="The Redis of the workers: they then learn of a change at once.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None
    catalogue: CatalogueOption = None
    prefix: Annotated[
        str,
        Option(
            "--prefix",
            envvar="GATEPOST_PREFIX",
            metavar="TEXT",
            help="How new secrets begin; as in the app.",
            rich_help_panel=_CONNECTION,
        ),
    ] = DEFAULT_PREFIX
    max_grace: Annotated[
        str,
        Option(
            "--max-grace",
            envvar="GATEPOST_MAX_GRACE",
            metavar="SPAN",
            help="How long a rotation may let the old secret work; as in the app.",
            rich_help_panel=_CONNECTION,
        ),
    ] = format_span(MAX_GRACE)

    def keys(self, *, foreign_secrets: bool = False) -> APIKeys:
        """The keys, closed still, for one command: what it reads is not remembered. Raises `BadInputError`."""
        return APIKeys(
            **self._settings(), memory_entries=0, redis_timeout=REDIS_SECONDS, foreign_secrets=foreign_secrets
        )

    def serving_keys(self) -> APIKeys:
        """The keys, closed still, for a process that answers requests. Raises `BadInputError`."""
        return APIKeys(**self._settings())

    def _settings(self) -> dict[str, Any]:
        return {
            "database": self.database,
            "redis": self.redis,
            "catalogue": load_catalogue(self.catalogue),
            "prefix": self.prefix,
            "server_keys": server_keys(),
            "vault_keys": vault_keys(),
            "max_grace": parse_seconds("--max-grace", self.max_grace),
        }


Sort = Literal["created", "-created", "updated", "-updated", "description", "-description", "expires", "-expires"]
StateName = Literal["active", "expiring", "expired", "deactivated"]


@dataclass(frozen=True, kw_only=True)
class WhichOptions(KeysOptions):
    """What every command takes that is about many keys: which ones."""

    project: Annotated[str | None, Option("--project", metavar="NAME", help="Only keys of this project.")] = None
    company_wide: Annotated[bool, Option("--company-wide", help="Only keys of no project.")] = False
    state: Annotated[
        StateName | None,
        Option(
            "--state",
            metavar="STATE",
            help="Only keys that are active (they work now), expiring (of these, those that end soon), expired, or "
            "deactivated.",
        ),
    ] = None
    active: Annotated[
        bool | None,
        Option("--active/--inactive", help="The same as --state active, or deactivated.", show_default=False),
    ] = None
    permission: Annotated[
        str | None,
        Option(
            "--permission",
            "-p",
            metavar="NAME",
            help="Only keys that have this permission.",
            autocompletion=complete_permission,
        ),
    ] = None
    no_permissions: Annotated[bool, Option("--no-permissions", help="Only keys that may do nothing.")] = False
    search: Annotated[
        str | None,
        Option(
            "--search",
            metavar="WORDS",
            help="Each of them begins a word of the key's description, or its id; or a secret as lists show it, its "
            "start, or its last four characters.",
        ),
    ] = None
    expires_before: Annotated[
        str | None,
        Option("--expires-before", metavar="WHEN", help="Only keys that end, or ended, before: 90d, 2030-01-31."),
    ] = None
    never_expires: Annotated[bool, Option("--never-expires", help="Only keys without an expiry.")] = False
    expires_within: Annotated[
        str, Option("--expires-within", metavar="SPAN", help="How soon a key must end to be expiring.")
    ] = format_span(EXPIRING_SECONDS)

    def which(self) -> "Which":
        """The arguments of `APIKeys.list` that these options stand for. Raises `BadInputError`."""
        before = self.expires_before
        return {
            "project": self.project,
            "company_wide": self.company_wide,
            "active": self.active,
            "state": self.state,
            "permission": self.permission,
            "no_permissions": self.no_permissions,
            "search": self.search,
            "expires_before": None if before is None else parse_when("--expires-before", before, datetime.now(UTC)),
            "never_expires": self.never_expires,
            "expires_within": parse_seconds("--expires-within", self.expires_within),
        }


@dataclass(frozen=True, kw_only=True)
class ChoiceOptions(WhichOptions):
    """What every command takes that tells of many keys: which ones, and in what order."""

    sort: Annotated[Sort, Option("--sort", metavar="ORDER", help=_SORT_HELP)] = "-created"

    def choice(self) -> dict[str, Any]:
        """The arguments of `APIKeys.list` that these options stand for. Raises `BadInputError`."""
        return {**self.which(), "sort": self.sort}


@dataclass(frozen=True, kw_only=True)
class ChangeOptions(KeysOptions):
    """What every command takes that changes keys."""

    actor: Annotated[
        str | None,
        Option(
            "--actor",
            metavar="NAME",
            help="Your name in the change log, which tells your user on this machine too. Default: that one.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None

    def who(self) -> Actor:
        """The operator at this shell, known by its user on this machine, whatever name is given."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError, ImportError):  # a uid without an account, as in many containers
            user = f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
        name = user if self.actor is None else self.actor
        return Actor(name, id=user, address=_host_name(), operator=True, at_shell=True)


def _host_name() -> str | None:
    """This machine's name as the audit log can hold it; `None` where there is none."""
    name = socket.gethostname()[:ADDRESS_MAX].strip()
    return name if name.isprintable() and name else None


def waiting(no_wait: bool) -> Wait:
    """What `--no-wait` means to a verb."""
    return "commit" if no_wait else "everywhere"


def check_one_form(quiet: bool, as_json: bool) -> None:
    """Raise `BadInputError` for `--quiet` with `--json`."""
    if quiet and as_json:
        raise BadInputError("--quiet and --json exclude each other")


def server_keys() -> list[bytes] | None:
    """The server keys of the environment, `None` without any. Raises `BadInputError`, without their text."""
    given = os.environ.get(SERVER_KEYS, "")
    if not given.strip():
        return None
    keys = []
    for number, text in enumerate(given.split(","), 1):
        try:
            keys.append(bytes.fromhex(text))
        except ValueError:
            raise BadInputError(
                f"{SERVER_KEYS}: entry {number} is not hexadecimal. Make one with: openssl rand -hex 32"
            ) from None
    return keys


def vault_keys() -> list[str] | None:
    """The keys of the vault in the environment, `None` without any. Whether they are any is for the vault to say."""
    given = os.environ.get(VAULT_KEYS, "")
    if not given.strip():
        return None
    return [text.strip() for text in given.split(",")]


def load_catalogue(given: str | None) -> type[Catalogue]:
    """The class that `module:Class` names, looked for in the current folder too; `DAM` for `None`.

    Raises `BadInputError`.
    """
    if given is None:
        return DAM
    module_name, _, path = given.partition(":")
    if not module_name or not path:
        raise BadInputError(f"--catalogue {given!r} must be MODULE:CLASS, such as myapp.permissions:Notes")
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
    except Exception as failure:  # importing the user's module may raise anything
        raise BadInputError(f"--catalogue {given!r}: {type(failure).__name__}: {failure}") from failure
    if not (isinstance(found, type) and issubclass(found, Catalogue)):
        raise BadInputError(f"--catalogue {given!r} is not a subclass of gatepost.Catalogue")
    return found
