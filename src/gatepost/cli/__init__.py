"""The `gatepost` command: keys, tables and the demo from a shell (docs/command.md)."""

import sys


def main() -> None:
    """Run the command with this process's arguments, and exit with an `ExitCode`.

    Typer and Rich come with the extra `cli`; without them one line on stderr says so.
    """
    from gatepost.base import MissingExtraError  # noqa: PLC0415
    from gatepost.cli.failures import report  # noqa: PLC0415 - importing gatepost.cli must cost nothing

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a made key must always be told
    try:
        from gatepost.cli.app import app  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as missing:
        library = str(missing.name).partition(".")[0]
        if library == "gatepost":
            raise
        sys.exit(report(MissingExtraError(library, "cli"), sys.argv[1:]))
    app(prog_name="gatepost")
