"""`gatepost templates …`, and `gatepost keys issue`: what temporary secrets are made from, and making one."""

from typing import Annotated, Any

from typer import Argument, Option, Typer

from gatepost.base import limit_of_text
from gatepost.cli.help import examples
from gatepost.cli.input import (
    Allow,
    ChangeOptions,
    KeyId,
    KeysOptions,
    Limits,
    Owner,
    Permissions,
    parse_seconds,
    split_names,
    verb,
)
from gatepost.cli.keys import Quiet
from gatepost.cli.output import LIST_HEADS, key_row, print_json, print_line, print_pairs, print_rows, tell_receipt
from gatepost.keys import key_json
from gatepost.rules import UNSET
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


def _given(permission: Any, allow: Any, limit: Any, lifetime: str | None) -> dict[str, Any]:
    given = {"permissions": split_names(permission) if permission else None, "allow": allow and split_names(allow)}
    given |= {"limits": [limit_of_text(each) for each in split_names(limit)] if limit else None}
    given |= {"lifetime": None if lifetime is None else int(parse_seconds("--lifetime", lifetime))}
    return {name: value for name, value in given.items() if value is not None}


def _terms(origin: list[str] | None, public: bool | None) -> dict[str, Any]:
    origins = UNSET if origin is None else split_names(origin) or None
    return {"origins": origins, "public": UNSET if public is None else public}


def _print(template: Template, as_json: bool) -> None:
    terms = template.terms
    told: dict[str, Any] = {name: getattr(terms, name, None) for name in ("lifetime", "origins", "public")}
    if as_json:
        print_json({**key_json(template.key), **told})
    else:
        row = zip(LIST_HEADS, key_row(template.key), strict=True)
        print_pairs([*row, *((name, str(value)) for name, value in told.items())])


@app.command(epilog=examples('gatepost templates create "a widget" -p FILE_UPLOAD --public'))
@verb
async def create(
    options: ChangeOptions,
    description: Description,
    *,
    permission: Permissions = None,
    project: Annotated[str | None, Option("--project", metavar="NAME", help="Default: every project.")] = None,
    allow: Allow = None,
    limit: Limits = None,
    owner: Owner = None,
    lifetime: Lifetime = None,
    origin: Origins = None,
    public: Public = None,
) -> None:
    """Make a template."""
    options.check_file()
    given = {"permissions": (), **_given(permission, allow, limit, lifetime)}
    terms = {name: value for name, value in _terms(origin, public).items() if value is not UNSET}
    async with options.keys() as keys:
        who = options.who()
        made = await keys.templates.create(description, **given, **terms, project=project, owner=owner, actor=who)
    _print(made, options.as_json)


@app.command("list", epilog=examples("gatepost templates list --json"))
@verb
async def list_templates(options: KeysOptions) -> None:
    """List templates, newest first; 500 at most."""
    options.check_file()
    async with options.keys() as keys:
        found = (await keys.templates.list(limit=500)).items
    if options.as_json:
        print_json({"items": [key_json(each.key) for each in found]})
    else:
        print_rows(LIST_HEADS, [key_row(each.key) for each in found], cut=("description", "project"))


@app.command(epilog=examples("gatepost templates show 4fT0aK9sQ2Lm"))
@verb
async def show(options: KeysOptions, key_id: KeyId) -> None:
    """Show everything about a template."""
    options.check_file()
    async with options.keys() as keys:
        _print(await keys.templates.get(key_id), options.as_json)


@app.command(epilog=examples("gatepost templates edit 4fT0aK9sQ2Lm --lifetime 5m --private"))
@verb
async def edit(
    options: ChangeOptions,
    key_id: KeyId,
    *,
    permission: Permissions = None,
    allow: Allow = None,
    limit: Limits = None,
    lifetime: Lifetime = None,
    origin: Origins = None,
    public: Public = None,
) -> None:
    """Change a template. What is not named stays as it is."""
    options.check_file()
    given = _given(permission, allow, limit, lifetime) | _terms(origin, public)
    async with options.keys() as keys:
        _print(await keys.templates.update(key_id, **given, actor=options.who()), options.as_json)


@app.command(epilog=examples("gatepost templates rotate 4fT0aK9sQ2Lm"))
@verb
async def rotate(options: ChangeOptions, key_id: KeyId) -> None:
    """End all temporary secrets that were issued of a template so far."""
    options.check_file()
    async with options.keys() as keys:
        _print(await keys.templates.rotate(key_id, actor=options.who()), options.as_json)


async def _switch(options: ChangeOptions, key_id: str, verb_name: str, done: str) -> None:
    options.check_file()
    async with options.keys() as keys:
        receipt = await getattr(keys.templates, verb_name)([key_id], actor=options.who())
    tell_receipt(receipt, done, as_json=options.as_json)


@app.command(epilog=examples("gatepost templates activate 4fT0aK9sQ2Lm"))
@verb
async def activate(options: ChangeOptions, key_id: KeyId) -> None:
    """Switch a template on."""
    await _switch(options, key_id, "activate", "activated")


@app.command(epilog=examples("gatepost templates deactivate 4fT0aK9sQ2Lm"))
@verb
async def deactivate(options: ChangeOptions, key_id: KeyId) -> None:
    """Switch a template off, and with it all that was issued of it."""
    await _switch(options, key_id, "deactivate", "deactivated")


@app.command(epilog=examples("gatepost templates delete 4fT0aK9sQ2Lm"))
@verb
async def delete(options: ChangeOptions, key_id: KeyId) -> None:
    """Remove a template for good, and with it all that was issued of it."""
    await _switch(options, key_id, "delete", "deleted")


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
    subject: Annotated[str | None, Option("--subject", metavar="NAME", help="Whom the app must confirm.")] = None,
    quiet: Quiet = False,
) -> None:
    """Issue a temporary secret of a key or a template, and show it, once."""
    options.check_file()
    given = _given(permission, allow, limit, lifetime)
    async with options.keys() as keys:
        made = await keys.issue_temporary(key_id, **given, subject=subject, actor=options.who())
    told = {name: getattr(made, name) for name in ("id", "secret", "key_id", "expires_at", "subject")}
    if options.as_json:
        print_json({**told, "permissions": sorted(made.permissions)})
    elif quiet:
        print_line(made.secret)
    else:
        print_pairs([(name, str(value)) for name, value in told.items()])
