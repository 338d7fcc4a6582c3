"""The command as a whole: its groups, what stands beside them, and how it ends."""

import sys
from collections.abc import Sequence
from copy import copy
from typing import Annotated, Any, NoReturn

from typer import Context, Exit, Option, Typer
from typer.core import TyperGroup
from typer.models import CommandInfo

from gatepost.base import MissingExtraError
from gatepost.cli import bulk, database, events, exchange, keys, limits, roles, secrets, templates, usage
from gatepost.cli.audit import audit
from gatepost.cli.audit_log import audit_log
from gatepost.cli.codes import ExitCode
from gatepost.cli.coverage import coverage
from gatepost.cli.doctor import doctor
from gatepost.cli.failures import report
from gatepost.cli.help import EXIT_CODES, examples, show_help
from gatepost.cli.input import AppOption, CatalogueOption, catalogue_of
from gatepost.cli.output import print_json, print_line, print_rows
from gatepost.cli.policies import app as policies
from gatepost.cli.scanners import scanners
from gatepost.cli.serve import serve
from gatepost.cli.webhooks import app as webhooks

_ORDER = (
    "keys",
    "roles",
    "templates",
    "policies",
    "db",
    "webhooks",
    "doctor",
    "audit",
    "coverage",
    "permissions",
    "scanners",
    "serve",
    "demo",
)


class _Root(TyperGroup):
    """The command as Typer builds it, except that every exception goes through `report`."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **named: Any) -> NoReturn:
        """Run, and exit with an `ExitCode`."""
        arguments = list(sys.argv[1:] if args is None else args)
        named["standalone_mode"] = False
        try:
            code = super().main(arguments, *rest, **named)
        except Exception as error:  # noqa: BLE001 - a command ends with one line, whatever went wrong
            sys.exit(report(error, arguments))
        sys.exit(code if isinstance(code, int) else ExitCode.DONE)

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order in which people need them."""
        return sorted(super().list_commands(ctx), key=_ORDER.index)


app = Typer(
    cls=_Root,
    help="API keys for ASGI apps: make and manage them, prepare their database, try the demo.",
    epilog=examples(
        "gatepost demo",
        'gatepost keys create "nightly import" -p FILE_UPLOAD --project acme',
        "gatepost keys list",
    )
    + f"\n\n{EXIT_CODES}",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
of_keys = Typer(help="Make and manage API keys.")
for part in (keys, bulk, limits, events, usage, secrets, exchange):
    of_keys.add_typer(part.app)
of_keys.add_typer(templates.issuing)
app.add_typer(of_keys, name="keys", callback=show_help, invoke_without_command=True)
app.add_typer(templates.app, name="templates", callback=show_help, invoke_without_command=True)
app.add_typer(policies, name="policies", callback=show_help, invoke_without_command=True)
app.add_typer(roles.app, name="roles", callback=show_help, invoke_without_command=True)
app.add_typer(database.app, name="db", callback=show_help, invoke_without_command=True)
app.add_typer(webhooks, name="webhooks", callback=show_help, invoke_without_command=True)
app.command(epilog=examples("gatepost doctor --redis redis://localhost", "gatepost doctor --json"))(doctor)
app.command(
    epilog=examples(
        "gatepost coverage main:app",
        "gatepost coverage main:app --write-baseline coverage.toml",
        "gatepost coverage main:app --check coverage.toml --probe",
    )
)(coverage)
of_audit = Typer()
of_audit.command(
    "log", epilog=examples("gatepost audit log --verify", "gatepost audit log --output log.jsonl --until 400d")
)(audit_log)
app.add_typer(
    of_audit,
    name="audit",
    callback=audit,
    invoke_without_command=True,
    epilog=examples(
        "gatepost audit --worker http://10.0.0.5:8000/_gatepost --json",
        "gatepost audit --worker http://127.0.0.1:8000/_gatepost --once",
    ),
)
app.command(
    epilog=examples("gatepost scanners gitleaks > .gitleaks.toml", "gatepost scanners kingfisher --prefix acme")
)(scanners)
app.command(epilog=examples("gatepost serve", "gatepost serve --port 9000 --database postgresql://user@host/name"))(
    serve
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from gatepost import __version__  # noqa: PLC0415 - reads the installed metadata

        print_line(f"gatepost {__version__}")
        raise Exit


@app.callback(invoke_without_command=True)
def root(
    context: Context,
    _version: Annotated[
        bool, Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """API keys for ASGI apps: make and manage them, prepare their database, try the demo."""
    show_help(context)


@app.command(epilog=examples("gatepost permissions", "gatepost permissions --catalogue myapp.permissions:Notes --json"))
def permissions(
    app: AppOption = None,
    catalogue: CatalogueOption = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON, for programs; errors too, on stderr.")] = False,
    _debug: Annotated[bool, Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """List the permissions that a key can have."""
    known = catalogue_of(app, catalogue)
    if as_json:
        print_json({"items": [{"name": str(each), "sentence": each.sentence} for each in known]})
    else:
        print_rows(("permission", "what it allows"), [(str(each), each.sentence) for each in known])


@app.command(epilog=examples("gatepost demo", "gatepost demo --port 9000 --redis redis://localhost"))
def demo(
    host: Annotated[str, Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, Option("--port", metavar="N", min=0, max=65535, help="0 = a free one.")] = 8000,
    database_url: Annotated[
        str | None, Option("--database", metavar="URL", help="Default: an SQLite file, removed at the end.")
    ] = None,
    redis: Annotated[str | None, Option("--redis", metavar="URL", help="Default: none.")] = None,
    _debug: Annotated[bool, Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Serve an asset store behind gatepost, with keys to try it out. Ctrl-C ends it."""
    try:
        from gatepost.cli.demo import run  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as missing:
        library = str(missing.name).partition(".")[0]
        if library == "gatepost":
            raise
        raise MissingExtraError(_DISTRIBUTIONS.get(library, library), "demo") from missing
    run(database_url, redis, host, port)


_DISTRIBUTIONS = {"PIL": "pillow"}
"""Modules whose package has another name."""


def command(arguments: Sequence[str]) -> Typer:
    """What these arguments need of `app`: the command or the group that they begin with, or all of them. Typer builds
    sixty from the signatures of their functions, which takes longer than most commands do."""
    named = arguments[0] if arguments else ""
    one = copy(app)
    one.registered_groups = [each for each in app.registered_groups if each.name == named]
    one.registered_commands = [each for each in app.registered_commands if _name_of(each) == named]
    return one if one.registered_groups or one.registered_commands else app


def _name_of(told: CommandInfo) -> str:
    return told.name or ("" if told.callback is None else told.callback.__name__)
