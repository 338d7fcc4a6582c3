"""`gatepost scanners`: rules for secret scanners."""

from typing import Annotated

from typer import Argument

from gatepost.cli.input import KeysOptions, verb
from gatepost.cli.output import print_json, print_line
from gatepost.scanners import SCANNERS, rules_for


@verb
async def scanners(
    options: KeysOptions,
    scanner: Annotated[str, Argument(metavar="SCANNER", help=f"{', '.join(SCANNERS)}.", show_default=False)],
) -> None:
    """Print rules with which a scanner finds secrets of yours (--prefix). Reads no database."""
    rules = rules_for(scanner, options.keys().prefix)
    if options.as_json:
        print_json({"scanner": scanner, "rules": rules})
    else:
        print_line(rules.rstrip("\n"))
