"""`gatepost audit log`: the audit log exported, and verified."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from typer import Exit, Option

from gatepost.base import BadInputError
from gatepost.cli.codes import ExitCode
from gatepost.cli.input import ChangeOptions, file_name, opened, parse_past, verb
from gatepost.cli.output import Phases, check_json, is_terminal, print_check, print_json, print_note, written

TOLD_EVERY = 1_000
"""Lines from one telling of their number to the next."""


@verb
async def audit_log(
    options: ChangeOptions,
    *,
    verify: Annotated[bool, Option("--verify", help="Tell whether a line was altered, taken out, put in.")] = False,
    file: Annotated[
        str | None, Option("--file", metavar="FILE", help="With --verify: of this export; - reads standard input.")
    ] = None,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="FILE", help="Write there. Default: standard output.")
    ] = None,
    first: Annotated[int | None, Option("--from", metavar="SEQ", min=0, help="From this change on.")] = None,
    last: Annotated[int | None, Option("--to", metavar="SEQ", min=0, help="Up to this change.")] = None,
    since: Annotated[
        str | None, Option("--since", metavar="WHEN", help="From that moment on: 7d back, 2030-01-31.")
    ] = None,
    until: Annotated[str | None, Option("--until", metavar="WHEN", help="Before that moment.")] = None,
) -> None:
    """Write the audit log, the oldest first, as JSON Lines; or verify it, or a file of it. Exits 1 where it is not as
    it was written."""
    now = datetime.now(UTC)
    moments = [
        None if text is None else parse_past(option, text, now)
        for option, text in (("--since", since), ("--until", until))
    ]
    if verify and any(each is not None for each in (output, first, last, *moments)):
        raise BadInputError("--verify looks at the whole log, or at the whole --file: leave the others out")
    if file is not None and not verify:
        raise BadInputError("--file goes with --verify")
    options.check_file()
    if verify:
        await _verify(options, file)
        return
    count = 0
    with Phases(shown=not options.as_json and not (output is None and is_terminal())) as phases:
        async with options.keys() as keys:
            with written(output) as out:
                lines = keys.audit_log.export(
                    first=first, last=last, since=moments[0], until=moments[1], actor=options.who()
                )
                async for line in lines:
                    out.write(line.decode())
                    count += 1
                    if count % TOLD_EVERY == 0:
                        phases.tell(f"Writing lines: {count:,}")
    if output is not None and options.as_json:
        print_json({"file": str(output), "lines": count})
    elif output is not None or not count:
        print_note(f"Wrote {count:,} lines{'' if output is None else f' to {output}'}")


async def _verify(options: ChangeOptions, file: str | None) -> None:
    """Of the database, or of a file."""
    with Phases(shown=not options.as_json) as phases:
        phases.tell("Reading the log")
        async with options.keys() as keys:
            if file is None:
                check = await keys.audit_log.verify(actor=options.who())
            else:
                with opened(file) as lines:
                    try:
                        check = await keys.audit_log.verify_export(lines, actor=options.who())
                    except BadInputError as wrong:
                        raise BadInputError(f"{file_name(file)}, {wrong}", wrong.field) from None
    if options.as_json:
        print_json(check_json(check))
    else:
        print_check(check, of_file=file is not None)
    if not check.is_whole:
        raise Exit(ExitCode.FAILED)
