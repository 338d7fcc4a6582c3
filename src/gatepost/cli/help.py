"""What `--help` says besides the options, and when it is shown unasked."""

from typer import Context, Exit

from gatepost.cli.codes import ExitCode
from gatepost.cli.input import examples

__all__ = ["EXIT_CODES", "examples", "show_help"]

EXIT_CODES = """[bold]Exit codes[/]
0  done
1  failed: the database cannot be reached, an extra is not installed, ...
2  bad input or usage; nothing was changed
3  an id that no key has, the other ids are done; or no such role
4  tables missing or of another revision: run gatepost db upgrade
5  audit: nothing wrong seen, but the database or a worker did not answer
6  committed, but --timeout came before every worker had confirmed it
7  keys whoami: the secret may not be used now"""


def show_help(context: Context) -> None:
    """The callback of a group: without a command, its help, and the exit code of wrong usage."""
    if context.invoked_subcommand is None:
        context.get_help()
        raise Exit(ExitCode.BAD_INPUT)
