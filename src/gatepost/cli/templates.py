"""`gatepost templates …`, and `gatepost keys issue`: what temporary secrets are made from, and making one."""

from collections.abc import Sequence
from typing import Annotated, Any

from typer import Argument, Option, Typer

from gatepost.base import BadInputError, limit_of_text
from gatepost.cli.help import examples
from gatepost.cli.input import (
    After,
    Allow,
    Before,
    ChangeOptions,
    ChoiceOptions,
    Editing,
    EveryPage,
    KeyId,
    KeysOptions,
    Limit,
    Limits,
    Making,
    NoWait,
    Permissions,
    QuietIds,
    Resources,
    Timeout,
    check_one_form,
    format_span,
    parse_seconds,
    split_names,
    verb,
    waiting,
)
from gatepost.cli.keys import Quiet
from gatepost.cli.output import (
    LIST_HEADS,
    collect,
    is_terminal,
    key_pairs,
    key_row,
    note_more,
    print_json,
    print_line,
    print_note,
    print_pairs,
    print_rows,
    tell_receipt,
)
from gatepost.keys import APIKeys, key_json
from gatepost.rules import PAGE_MAX
from gatepost.temporary import Template

app = Typer(help="Manage templates of temporary secrets.")
issuing = Typer()

Lifetime = Annotated[
    str | None, Option("--lifetime", metavar="SPAN", help="How long a temporary secret lives: 20m, 1h.")
]
Origins = Annotated[
    list[str] | None, Option("--origin", metavar="ORIGIN", help="Of pages that may use it; --origin '' is any.")
]
Public = Annotated[bool | None, Option("--public/--private", help="Whether anybody gets one who knows the id.")]
Description = Annotated[str, Argument(metavar="DESCRIPTION", help="What tells it from others.")]


def _terms(lifetime: str | None, origin: list[str] | None, public: bool | None) -> dict[str, Any]:
    """What is said of a template beside what every key has. Raises `BadInputError`."""
    given: dict[str, Any] = {} if lifetime is None else {"lifetime": int(parse_seconds("--lifetime", lifetime))}
    if origin is not None:
        given["origins"] = split_names(origin) or None
    return given if public is None else {**given, "public": public}


def _told(template: Template) -> dict[str, Any]:
    return {name: getattr(template.terms, name, None) for name in ("lifetime", "origins", "public")}


def _row(template: Template) -> Sequence[str]:
    """A template in a list: as a key, then how long what is issued of it lives, and whether anybody gets one. A pipe
    gets whole seconds."""
    terms = template.terms
    if terms is None:  # somebody has written them by hand, and wrongly
        return [*key_row(template.key), "", ""]
    lifetime = format_span(terms.lifetime) if is_terminal() else str(terms.lifetime)
    return [*key_row(template.key), lifetime, "yes" if terms.public else "no"]


def _print(template: Template, keys: APIKeys, options: KeysOptions) -> None:
    if options.as_json:
        print_json({**key_json(template.key), **_told(template)})
    else:
        terms = ((name, str(value)) for name, value in _told(template).items())
        print_pairs([*key_pairs(template.key, keys.catalogue), *terms])


@app.command(
    epilog=examples(
        'gatepost templates create "a widget" -p FILE_UPLOAD --public',
        'gatepost templates create "a visitor" --role reader --expires 90d',
    )
)
@verb
async def create(
    options: ChangeOptions,
    description: Description,
    *,
    making: Making,
    lifetime: Lifetime = None,
    origin: Origins = None,
    public: Public = None,
) -> None:
    """Make a template."""
    given = making.arguments() | _terms(lifetime, origin, public)
    options.check_file()
    async with options.keys() as keys:
        _print(await keys.templates.create(description, **given, actor=options.who()), keys, options)


@app.command(
    "list",
    epilog=examples(
        "gatepost templates list --owner ann --json",
        "gatepost templates list --owner ann --all -q | gatepost keys deactivate -",
    ),
)
@verb
async def list_templates(
    options: ChoiceOptions,
    *,
    limit: Limit = PAGE_MAX,
    after: After = None,
    before: Before = None,
    every: EveryPage = False,
    quiet: QuietIds = False,
) -> None:
    """List templates, newest first unless told otherwise."""
    check_one_form(quiet, options.as_json)
    options.check_file()
    async with options.keys() as keys:
        page = await collect(
            keys.templates.list, after=after, before=before, limit=limit, every=every, **options.choice()
        )
    if options.as_json:
        told = [{**key_json(each.key), **_told(each)} for each in page.items]
        print_json({"items": told, "next": page.next, "previous": page.previous})
    elif quiet:
        for template in page.items:
            print_line(template.id)
    elif page.items or not is_terminal():
        print_rows((*LIST_HEADS, "lifetime", "public"), [*map(_row, page.items)], cut=("description", "project"))
    else:
        print_note("No templates")
    note_more(page, as_json=options.as_json)


@app.command(epilog=examples("gatepost templates show 4fT0aK9sQ2Lm"))
@verb
async def show(options: KeysOptions, key_id: KeyId) -> None:
    """Show everything about a template."""
    options.check_file()
    async with options.keys() as keys:
        _print(await keys.templates.get(key_id), keys, options)


@app.command(
    epilog=examples(
        "gatepost templates edit 4fT0aK9sQ2Lm --lifetime 5m --private",
        "gatepost templates edit 4fT0aK9sQ2Lm --owner bob --expires 90d",
    )
)
@verb
async def edit(
    options: ChangeOptions,
    key_id: KeyId,
    *,
    changes: Editing,
    lifetime: Lifetime = None,
    origin: Origins = None,
    public: Public = None,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Change a template. What is not named stays as it is."""
    given = changes.arguments() | _terms(lifetime, origin, public)
    if not given:
        raise BadInputError(f"Nothing to change: name {changes.options()}, --lifetime, --origin, --public or --private")
    options.check_file()
    async with options.keys() as keys:
        how: dict[str, Any] = {"actor": options.who(), "wait": waiting(no_wait), "timeout": timeout}
        _print(await keys.templates.update(key_id, **given, **how), keys, options)


@app.command(epilog=examples("gatepost templates rotate 4fT0aK9sQ2Lm"))
@verb
async def rotate(options: ChangeOptions, key_id: KeyId, *, no_wait: NoWait = False, timeout: Timeout = None) -> None:
    """End all temporary secrets that were issued of a template so far."""
    options.check_file()
    async with options.keys() as keys:
        how: dict[str, Any] = {"actor": options.who(), "wait": waiting(no_wait), "timeout": timeout}
        _print(await keys.templates.rotate(key_id, **how), keys, options)


async def _switch(options: ChangeOptions, key_id: str, verb_name: str, done: str, **how: Any) -> None:
    options.check_file()
    async with options.keys() as keys:
        receipt = await getattr(keys.templates, verb_name)([key_id], actor=options.who(), **how)
    tell_receipt(receipt, done, as_json=options.as_json)


@app.command(epilog=examples("gatepost templates activate 4fT0aK9sQ2Lm"))
@verb
async def activate(options: ChangeOptions, key_id: KeyId) -> None:
    """Switch a template on."""
    await _switch(options, key_id, "activate", "activated")


@app.command(epilog=examples("gatepost templates deactivate 4fT0aK9sQ2Lm"))
@verb
async def deactivate(
    options: ChangeOptions, key_id: KeyId, *, no_wait: NoWait = False, timeout: Timeout = None
) -> None:
    """Switch a template off, and with it all that was issued of it."""
    await _switch(options, key_id, "deactivate", "deactivated", wait=waiting(no_wait), timeout=timeout)


@app.command(epilog=examples("gatepost templates delete 4fT0aK9sQ2Lm"))
@verb
async def delete(options: ChangeOptions, key_id: KeyId, *, no_wait: NoWait = False, timeout: Timeout = None) -> None:
    """Remove a template for good, and with it all that was issued of it."""
    await _switch(options, key_id, "delete", "deleted", wait=waiting(no_wait), timeout=timeout)


@issuing.command(epilog=examples("gatepost keys issue 4fT0aK9sQ2Lm -p FILE_UPLOAD --lifetime 5m --quiet"))
@verb
async def issue(
    options: ChangeOptions,
    key_id: KeyId,
    *,
    permission: Permissions = None,
    allow: Allow = None,
    limit: Limits = None,
    lifetime: Lifetime = None,
    resource: Resources = None,
    subject: Annotated[str | None, Option("--subject", metavar="NAME", help="Whom the app must confirm.")] = None,
    quiet: Quiet = False,
) -> None:
    """Issue a temporary secret of a key or a template, and show it, once."""
    told: dict[str, Any] = {
        "permissions": split_names(permission) if permission else None,
        "allow": split_names(allow) if allow else None,
        "limits": [limit_of_text(each) for each in split_names(limit)] if limit else None,
        "lifetime": None if lifetime is None else int(parse_seconds("--lifetime", lifetime)),
        "resources": [each for each in resource if each] if resource else None,
    }
    given = {name: value for name, value in told.items() if value is not None}
    options.check_file()
    async with options.keys() as keys:
        made = await keys.issue_temporary(key_id, **given, subject=subject, actor=options.who())
    told = {name: getattr(made, name) for name in ("id", "secret", "key_id", "expires_at", "subject")}
    if options.as_json:
        print_json({**told, "permissions": sorted(made.permissions)})
    elif quiet:
        print_line(made.secret)
    else:
        print_pairs([(name, str(value)) for name, value in told.items()])
