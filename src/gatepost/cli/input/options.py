"""Options that many commands share, and what is made of them."""

import getpass
import os
import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Self, get_type_hints

from typer import Argument, Context, Option

from gatepost.base import ADDRESS_MAX, DEFAULT_PREFIX, Actor, BadInputError, SchemaError
from gatepost.cli.input.application import load_keys
from gatepost.cli.input.arguments import format_span, parse_seconds
from gatepost.keys import DEFAULT_DATABASE, MAX_GRACE, APIKeys, Wait
from gatepost.keys.parts import variables
from gatepost.rules import DAM, PAGE_MAX, Catalogue

REDIS_SECONDS = 1.0
"""Longest exchange with Redis: a command has more time than a request, and may be run from far away."""

_CONNECTION = "Connection"
_OUTPUT = "Output"

AppOption = Annotated[
    str | None,
    Option(
        "--app",
        envvar=variables.APP,
        metavar="MODULE:NAME",
        help="The app, or its APIKeys: all below is read from it.",
        rich_help_panel=_CONNECTION,
    ),
]

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
    given = {name: context.params.get(name) for name in ("app", "catalogue")}
    try:
        known = catalogue_of(
            given["app"] or os.environ.get(variables.APP),
            given["catalogue"] or os.environ.get(variables.CATALOGUE),
        )
    except BadInputError:
        return []
    before, comma, begun = incomplete.rpartition(",")
    return [(f"{before}{comma}{each}", each.sentence) for each in known if each.startswith(begun)]


KeyId = Annotated[str, Argument(metavar="ID", help="The key's id, 12 characters.")]
KeyIds = Annotated[
    list[str] | None,
    Argument(metavar="[ID]...", help="The keys' ids; - reads them from standard input.", show_default=False),
]
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
    typed: frozenset[str] = field(default=frozenset(), metadata={"option": False})
    """The names of the options that stand in the command itself, not in the environment."""

    @classmethod
    def names(cls) -> Sequence[str]:
        """The fields that are options."""
        return [each.name for each in fields(cls) if each.metadata.get("option", True)]

    @classmethod
    def hints(cls) -> dict[str, Any]:
        """The types of the fields, with how each is typed at the shell."""
        return get_type_hints(cls, include_extras=True)

    def prepared(self, typed: frozenset[str]) -> Self:
        """The options, with what they name loaded. Before an event loop runs, for apps may begin one when they are
        imported. Raises `BadInputError`."""
        return replace(self, typed=typed)


@dataclass(frozen=True, kw_only=True)
class DatabaseOptions(Options):
    """What every command takes that reads the database."""

    app: AppOption = None
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
    of_app: APIKeys | None = field(default=None, metadata={"option": False})
    """The keys that `--app` leads to."""

    def prepared(self, typed: frozenset[str]) -> Self:
        """The options, with the app loaded that they name. Raises `BadInputError`."""
        if self.app is not None:
            return replace(self, typed=typed, of_app=load_keys(self.app, option_of("app", typed)))
        variables.check_names(os.environ)
        return replace(self, typed=typed)

    @property
    def database_url(self) -> str:
        """The URL: what was typed counts most, then what the app says, then the environment."""
        if self.of_app is None or "database" in self.typed:
            return self.database
        return self.of_app.database_url

    def keys(self, **settings: Any) -> APIKeys:
        """The keys, closed still, for one command: what it reads is not remembered. Raises `BadInputError`."""
        return self._keys(memory_entries=0, redis_timeout=REDIS_SECONDS, **settings)

    def _keys(self, **settings: Any) -> APIKeys:
        if self.of_app is None:
            said = variables.said(os.environ, self.typed | settings.keys())
            with variables.named(said):
                return APIKeys(**self._settings() | settings).said_by_variables(said)
        mine = {name: value for name, value in self._settings().items() if name in self.typed}
        return self.of_app.alike(**mine | settings)

    def _settings(self) -> dict[str, Any]:
        return {"database": self.database}

    def sqlite_file(self) -> Path | None:
        """The file that the URL names, `None` where it names something else.

        Raises `BadInputError`, also where no such file can be.
        """
        url = self._parsed_url()
        if url.get_backend_name() != "sqlite" or not url.database or url.database.startswith((":memory:", "file:")):
            return None
        file = Path(url.database).absolute()
        if file.is_dir() or not file.parent.is_dir():
            raise BadInputError(f"--database: {file} cannot be an SQLite file, since it is a folder or has none")
        return file

    def database_name(self) -> str:
        """The URL without anything secret: no password, and of the query only where the server is."""
        from gatepost.database.connecting import shown  # noqa: PLC0415 - SQLAlchemy is slow to import

        return shown(self._parsed_url())

    def _parsed_url(self) -> Any:
        from gatepost.database.connecting import parse_url  # noqa: PLC0415 - SQLAlchemy is slow to import

        with variables.named(variables.said(os.environ, self.typed) if self.of_app is None else ()):
            return parse_url(self.database_url)

    def check_file(self) -> None:
        """Raise `SchemaError` where the URL names an SQLite file that does not exist: in a wrong folder, an empty
        list of keys would be a wrong answer, and a new file a surprise."""
        file = self.sqlite_file()
        if file is not None and not file.exists():
            raise SchemaError(
                f"There is no SQLite file {file}. Name another one with --database, GATEPOST_DATABASE or --app, "
                f"or make it: gatepost db upgrade {self.place()}"
            )

    def check_named(self) -> None:
        """As `check_file`, but a file that was named may be missing: who names it wants it made."""
        if self.app is None and "database" not in self.typed and not os.environ.get("GATEPOST_DATABASE"):
            self.check_file()

    def place(self) -> str:
        """The options that lead another command to the same keys, as a shell takes them; without any password."""
        if self.app is not None and "database" not in self.typed:
            return f"--app {shlex.quote(self.app)}"
        file = self.sqlite_file()
        if file is not None:
            return f"--database {shlex.quote(f'sqlite:///{file}')}"
        return '--database "$GATEPOST_DATABASE"' if self.holds_password else f"--database {shlex.quote(self.database)}"

    @property
    def holds_password(self) -> bool:
        """Whether the URL cannot be shown as it is."""
        url = self._parsed_url()
        return url.password is not None or "password" in str(url.query)


@dataclass(frozen=True, kw_only=True)
class RedisOptions(DatabaseOptions):
    """What every command takes that asks Redis too."""

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

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"redis": self.redis}


@dataclass(frozen=True, kw_only=True)
class KeysOptions(RedisOptions):
    """What every command takes that reads keys."""

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

    def serving_keys(self) -> APIKeys:
        """The keys, closed still, for a process that answers requests. Raises `BadInputError`."""
        return self._keys()

    def place(self) -> str:
        """The options that lead another command to the same keys, as a shell takes them; without any password."""
        others = [
            f"--{name} {shlex.quote(value)}"
            for name, value in (("catalogue", self.catalogue), ("prefix", self.prefix))
            if value is not None and (name in self.typed or (self.app is None and value != DEFAULT_PREFIX))
        ]
        return " ".join([super().place(), *others])

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {
            "catalogue": catalogue_of(None, self.catalogue, option_of("catalogue", self.typed)),
            "prefix": self.prefix,
            "server_keys": variables.server_keys(os.environ),
            "vault_keys": variables.vault_keys(os.environ),
            "max_grace": parse_seconds(option_of("max_grace", self.typed), self.max_grace),
            "environment": os.environ.get(variables.ENVIRONMENT) or None,
        }


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


def named_once(argument: str | None, option: str | None) -> str | None:
    """The app, which stands alone or behind `--app`, else in the environment. Raises `BadInputError` for two."""
    said = os.environ.get(variables.APP) or None
    if option is not None and argument not in {None, option, said}:
        raise BadInputError(f"Name one app: {argument!r:.60}, or --app {option!r:.60}")
    return option or argument or said


def option_of(name: str, typed: frozenset[str]) -> str:
    """What gave an option its text, as a message names it: `--max-grace` where that was typed, else its variable."""
    variable = variables.variable_of(name)
    return variable if name not in typed and os.environ.get(variable) else f"--{name.replace('_', '-')}"


def catalogue_of(app: str | None, catalogue: str | None, name: str = "--catalogue") -> type[Catalogue]:
    """The catalogue that is named, or else the app's; `DAM` without either. `name`: where the text comes from. Raises
    `BadInputError`."""
    if catalogue is not None:
        return variables.load_catalogue(catalogue, name)
    return DAM if app is None else load_keys(app, "--app").catalogue
