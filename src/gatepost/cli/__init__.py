"""The `gatepost` command: keys, tables and the demo from a shell (docs/command.md)."""

import gc
import sys


def main() -> None:
    """Run the command with this process's arguments, and exit with an `ExitCode`.

    Typer and Rich come with the extra `cli`; without them one line on stderr says so.
    """
    from gatepost.base import MissingExtraError  # noqa: PLC0415
    from gatepost.cli.failures import report  # noqa: PLC0415 - importing gatepost.cli must cost nothing

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a made key must always be told
    gc.disable()  # all that is imported stays
    try:
        from gatepost.cli.app import command  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as missing:
        library = str(missing.name).partition(".")[0]
        if library == "gatepost":
            raise
        sys.exit(report(MissingExtraError(library, "cli"), sys.argv[1:]))
    finally:
        gc.enable()
    command(sys.argv[1:])(prog_name="gatepost")
