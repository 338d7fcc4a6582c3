"""`gatepost keys import` and `export`: keys from files, and what is known of keys into files."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from gatepost.base import BadInputError, ImportedKey
from gatepost.cli.formats import Format, format_of, key_writer, read_keys
from gatepost.cli.help import examples
from gatepost.cli.input import ChangeOptions, ChoiceOptions, check_one_form, file_name, interruptible, opened, verb
from gatepost.cli.output import (
    LIST_HEADS,
    Phases,
    is_terminal,
    key_row,
    pages,
    print_json,
    print_line,
    print_note,
    print_rows,
    written,
)
from gatepost.keys import key_json

app = Typer()

_ENTRY = re.compile(r"keys\[(\d+)\]")
"""How the verb names an entry that it cannot use."""


@app.command(
    "import",
    epilog=examples("gatepost keys import keys.jsonl", "gatepost keys import keys.csv --actor migration"),
)
@verb
async def import_keys(
    options: ChangeOptions,
    file: Annotated[str, Argument(metavar="FILE", help="JSON Lines or CSV; - reads standard input.")],
    *,
    form: Annotated[
        Format | None, Option("--format", help="Default: csv for a file called *.csv, else jsonl.", show_default=False)
    ] = None,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print the new keys' ids alone, one a line.")] = False,
) -> None:
    """Make keys for secrets that exist already, from their SHA-256 digests: all of them, or none.

    The app finds them only if it is made with foreign_secrets=True.
    """
    check_one_form(quiet, options.as_json)
    options.check_file()
    with Phases(shown=not options.as_json) as phases:
        with opened(file) as lines, interruptible():
            numbers, imported = _read(file, form or format_of(file), phases.counted("Reading keys", lines))
        async with options.keys(foreign_secrets=True) as keys:
            phases.tell(f"Making {len(imported):,} keys")
            try:
                made = await keys.import_digests(imported, actor=options.who())
            except BadInputError as wrong:
                raise _of_line(wrong, file, numbers) from None
    if options.as_json:
        print_json({"items": [key_json(key) for key in made]})
    elif quiet:
        for key in made:
            print_line(key.id)
    elif made:
        print_rows(LIST_HEADS, [key_row(key) for key in made], cut=("description", "project"))
        print_note("The app finds these keys only if it is made with APIKeys(..., foreign_secrets=True)")
    else:
        print_note("No keys were given, nothing was changed")


@app.command(
    epilog=examples("gatepost keys export > keys.jsonl", "gatepost keys export --project acme --output keys.csv")
)
@verb
async def export(
    options: ChoiceOptions,
    *,
    form: Annotated[
        Format | None, Option("--format", help="Default: csv for an --output *.csv, else jsonl.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="FILE", help="Write there. Default: standard output.")
    ] = None,
) -> None:
    """Write what is known of all keys, one a line, for programs and spreadsheets. No secrets, and no digests."""
    options.check_file()
    count = 0
    looked_at = output is None and is_terminal()  # the keys themselves tell how far it has come
    with Phases(shown=not options.as_json and not looked_at) as phases:
        async with options.keys() as keys:
            with written(output) as out:
                write = key_writer(form or format_of(str(output)), out)
                async for page in pages(keys.list, **options.choice()):
                    for key in page.items:
                        write(key)
                    count += len(page.items)
                    phases.tell(f"Writing keys: {count:,}")
    if output is not None and options.as_json:
        print_json({"file": str(output), "keys": count})
    elif output is not None:
        print_line(f"Wrote {count:,} {'key' if count == 1 else 'keys'} to {output}")


def _read(file: str, form: Format, lines: Iterable[bytes]) -> tuple[list[int], list[ImportedKey]]:
    """The keys of a file, and the line of each. Raises `BadInputError`."""
    try:
        found = list(read_keys(form, lines))
    except BadInputError as wrong:
        raise BadInputError(f"{file_name(file)}, {wrong}", wrong.field) from None
    return [number for number, _ in found], [key for _, key in found]


def _of_line(wrong: BadInputError, file: str, numbers: list[int]) -> BadInputError:
    """The error of the verb, with the line in place of the number of the entry."""
    entry = _ENTRY.match(str(wrong))
    if entry is None:
        return wrong
    return BadInputError(f"{file_name(file)}, line {numbers[int(entry[1])]}{str(wrong)[entry.end() :]}", wrong.field)
