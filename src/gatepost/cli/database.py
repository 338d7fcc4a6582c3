"""`gatepost db …`: the tables."""

from datetime import UTC, datetime
from typing import Annotated

from typer import Option, Typer

from gatepost.cli.help import examples
from gatepost.cli.input import ChangeOptions, DatabaseOptions, parse_past, verb
from gatepost.cli.output import (
    STATUS,
    Phases,
    print_json,
    print_line,
    print_note,
    print_pairs,
    print_pruned,
    pruned_json,
)
from gatepost.keys import USAGE_DAYS, USAGE_MONTHS, propagation_json, propagation_text

app = Typer(help="Make, migrate and check the database's tables.")


@app.command(epilog=examples("gatepost db upgrade --database postgresql://user@host/name"))
@verb
async def upgrade(
    options: DatabaseOptions,
    *,
    terms: Annotated[bool, Option("--terms", help="Also write anew what lists are searched by.")] = False,
) -> None:
    """Make or migrate the tables, and make triggers that are missing. Does nothing where all fits already."""
    options.sqlite_file()
    keys = options.keys()
    before = await keys.schema_status()
    await keys.create_schema(terms_anew=terms)
    after = await keys.schema_status()
    name = options.database_name()
    if options.as_json:
        print_json({"database": name, "before": before.current, "after": after.current})
    elif before.current is None:
        print_line(f"Made the tables in {name}, at revision {after.current}")
    elif before.current == after.current and after.triggers and not before.triggers:
        print_line(f"Made the triggers in {name} that notice keys changed by hand in SQL")
    elif before.current == after.current:
        print_line(f"Nothing to do: the tables in {name} are at revision {after.current} already")
    else:
        print_line(f"Migrated the tables in {name} from revision {before.current} to {after.current}")


@app.command(epilog=examples("gatepost db status --database postgresql://user@host/name", "gatepost db status --json"))
@verb
async def status(options: DatabaseOptions) -> None:
    """Tell which revision the tables are at, and which one is needed. Exits 4 where they do not fit."""
    from gatepost.database.schema import check  # noqa: PLC0415 - SQLAlchemy is slow to import

    options.check_file()
    found = await options.keys().schema_status()
    name = options.database_name()
    if options.as_json:
        print_json({"database": name, "current": found.current, "needed": found.needed, "fits": found.fits})
    else:
        print_pairs(
            [
                ("database", name),
                ("current revision", found.current or "none"),
                ("needed revision", found.needed),
                (STATUS, "fits" if found.fits else "does not fit"),
            ]
        )
    check(found)


@app.command(epilog=examples("gatepost db invalidate --database postgresql://user@host/name"))
@verb
async def invalidate(options: ChangeOptions) -> None:
    """Have every worker forget what it remembers. Run it once after the database was restored from a backup, or failed
    over to a copy that lacked changes. Changes no key."""
    options.check_file()
    async with options.keys() as keys:
        propagation = await keys.invalidate(actor=options.who())
    if options.as_json:
        print_json({"database": options.database_name(), "propagation": propagation_json(propagation)})
    else:
        print_line("Nothing read before is believed any more")
        if told := propagation_text(propagation):
            print_note(told)


@app.command(
    epilog=examples(
        "gatepost db prune",
        "gatepost db prune --events-before 400d --dead-workers --preview",
        "gatepost db prune --usage-days 31 --usage-months 13",
    )
)
@verb
async def prune(
    options: ChangeOptions,
    *,
    usage_days: Annotated[
        int, Option("--usage-days", metavar="N", help="Days for which usage is kept by day.")
    ] = USAGE_DAYS,
    usage_months: Annotated[
        int, Option("--usage-months", metavar="N", help="Months for which it is then kept by month.")
    ] = USAGE_MONTHS,
    events_before: Annotated[
        str | None,
        Option("--events-before", metavar="WHEN", help="Take the audit log from before out: 400d back, 2030-01-31."),
    ] = None,
    dead_workers: Annotated[
        bool, Option("--dead-workers", help="Remove rows of workers that are gone. Watches them, 20 s or so.")
    ] = False,
    preview: Annotated[bool, Option("--preview", help="Change nothing; show what would be done.")] = False,
) -> None:
    """Make old days of usage parts of their months, and remove what is older still; and old lines of the audit log, but
    those of keys' making. Safe while workers run; once a day is often enough."""
    before = None if events_before is None else parse_past("--events-before", events_before, datetime.now(UTC))
    options.check_file()
    with Phases(shown=not options.as_json) as phases:
        phases.tell("Pruning")
        async with options.keys() as keys:
            done = await keys.prune(
                days=usage_days,
                months=usage_months,
                events_before=before,
                dead_workers=dead_workers,
                preview=preview,
                progress=lambda log: phases.tell(f"Pruning the audit log: {log.removed:,} lines"),
                actor=options.who(),
            )
    if options.as_json:
        print_json({"database": options.database_name(), **pruned_json(done)})
    else:
        print_pruned(done)
