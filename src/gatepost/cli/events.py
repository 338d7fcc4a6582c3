"""`gatepost keys events`: the audit log."""

from typing import Annotated

from typer import Argument, Typer

from gatepost.cli.help import examples
from gatepost.cli.options import After, EveryPage, KeysOptions, Limit
from gatepost.cli.output import is_terminal, print_json, print_note, print_rows
from gatepost.cli.paging import collect, note_more
from gatepost.cli.verb import verb
from gatepost.cli.views import EVENT_HEADS, event_row
from gatepost.presentation import event_json

app = Typer()


@app.command(
    epilog=examples(
        "gatepost keys events",
        "gatepost keys events 4fT0aK9sQ2Lm --all",
        "gatepost keys events --limit 500 --json",
    )
)
@verb
async def events(
    options: KeysOptions,
    key_id: Annotated[
        str | None, Argument(metavar="ID", help="Only of this key, also a deleted one.", show_default=False)
    ] = None,
    *,
    limit: Limit = 50,
    after: After = None,
    every: EveryPage = False,
) -> None:
    """Tell who changed which key, when, from where, and what, newest first."""
    options.check_file()
    async with options.keys() as keys:
        page = await collect(keys.events, key_id=key_id, after=after, limit=limit, every=every)
    if options.as_json:
        print_json({"items": [event_json(event) for event in page.items], "next": page.next})
    elif page.items or not is_terminal():
        print_rows(EVENT_HEADS, [event_row(event) for event in page.items], cut=("who", "from"), fold=("change",))
    else:
        print_note("No events")
    note_more(page, as_json=options.as_json)
