"""`gatepost policies …`: what is asked of keys, and which of them do not fit."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from typer import Option, Typer

from gatepost.base import BadInputError
from gatepost.cli.input import (
    After,
    ChangeOptions,
    EveryPage,
    KeysOptions,
    Limit,
    check_one_form,
    examples,
    format_span,
    parse_seconds,
    split_names,
    verb,
)
from gatepost.cli.output import (
    collect,
    is_terminal,
    note_more,
    print_json,
    print_line,
    print_note,
    print_pairs,
    print_rows,
)
from gatepost.keys import MISFITS_MAX, PolicyPreview
from gatepost.rules import TERMS, Policy

app = Typer(help="Say what is asked of keys, of all or of a project's, and see which do not fit.")

ANY = "any"
"""What takes a term out of a policy."""

Project = Annotated[
    str | None,
    Option("--project", metavar="NAME", help="Of this project's keys; without it, of all.", show_default=False),
]
LongestLifetime = Annotated[
    str | None, Option("--longest-lifetime", metavar="SPAN", help="How far ahead an expiry may be: 90d; any.")
]
DefaultLifetime = Annotated[
    str | None, Option("--default-lifetime", metavar="SPAN", help="Of a new key that is given no expiry: 30d; any.")
]
LongestGrace = Annotated[
    str | None,
    Option("--longest-grace", metavar="SPAN", help="For which a rotation may leave the older secret; any."),
]
IdleDays = Annotated[
    str | None, Option("--idle-days", metavar="N", help="Days without a use, then a key is switched off; any.")
]
MostActiveKeys = Annotated[
    str | None, Option("--most-active-keys", metavar="N", help="Of one owner, that work at the same time; any.")
]
Environments = Annotated[
    str | None, Option("--environments", metavar="NAMES", help="What keys may be for: live, or live,test; any.")
]
Permissions = Annotated[
    str | None, Option("--permissions", metavar="NAMES", help="That keys may have, commas between; empty: none; any.")
]

_HEADS = ("whose", *(name.replace("_", " ") for name in TERMS))


@app.command(
    "set",
    epilog=examples(
        "gatepost policies set --longest-lifetime 90d --default-lifetime 30d",
        "gatepost policies set --project acme --most-active-keys 5",
        "gatepost policies set --project acme --most-active-keys any",
    ),
)
@verb
async def set_policy(
    options: ChangeOptions,
    *,
    project: Project = None,
    longest_lifetime: LongestLifetime = None,
    default_lifetime: DefaultLifetime = None,
    longest_grace: LongestGrace = None,
    idle_days: IdleDays = None,
    most_active_keys: MostActiveKeys = None,
    environments: Environments = None,
    permissions: Permissions = None,
) -> None:
    """Set terms of a policy. What is not named stays as it is; keys that there are stay too."""
    given = (longest_lifetime, default_lifetime, longest_grace, idle_days, most_active_keys, environments, permissions)
    terms = _terms(given)
    async with options.keys() as keys:
        policy = await keys.policies.set(project, **terms, actor=options.who())
    _print_policy(policy, as_json=options.as_json)


@app.command(epilog=examples("gatepost policies show", "gatepost policies show --project acme --json"))
@verb
async def show(options: KeysOptions, *, project: Project = None) -> None:
    """Show a policy, the company-wide one without --project."""
    options.check_file()
    async with options.keys() as keys:
        policy = await keys.policies.get(project)
    _print_policy(policy or Policy(project=project), as_json=options.as_json)


@app.command("list", epilog=examples("gatepost policies list", "gatepost policies list --all --json"))
@verb
async def list_policies(
    options: KeysOptions, *, limit: Limit = 50, after: After = None, every: EveryPage = False
) -> None:
    """List all policies, the company-wide one first."""
    options.check_file()
    async with options.keys() as keys:
        page = await collect(keys.policies.list, after=after, limit=limit, every=every)
    if options.as_json:
        print_json({"items": [each.told for each in page.items], "next": page.next})
    elif page.items or not is_terminal():
        print_rows(_HEADS, [_row(each) for each in page.items], fold=_HEADS)
    else:
        print_note("No policies")
    note_more(page, as_json=options.as_json)


@app.command(epilog=examples("gatepost policies delete --project acme"))
@verb
async def delete(options: ChangeOptions, *, project: Project = None) -> None:
    """Take a policy away, the company-wide one without --project."""
    options.check_file()
    async with options.keys() as keys:
        deleted = await keys.policies.delete(project, actor=options.who())
    if options.as_json:
        print_json({"deleted": deleted})
    else:
        print_note("Nothing is asked any more" if deleted else "Nothing was asked")


@app.command(
    epilog=examples(
        "gatepost policies preview --longest-lifetime 90d",
        "gatepost policies preview --project acme --json",
        "gatepost policies preview --term idle_days -q",
    )
)
@verb
async def preview(
    options: KeysOptions,
    *,
    project: Project = None,
    longest_lifetime: LongestLifetime = None,
    default_lifetime: DefaultLifetime = None,
    longest_grace: LongestGrace = None,
    idle_days: IdleDays = None,
    most_active_keys: MostActiveKeys = None,
    environments: Environments = None,
    permissions: Permissions = None,
    term: Annotated[str | None, Option("--term", metavar="TERM", help="The ids of keys that miss this one.")] = None,
    limit: Limit = MISFITS_MAX,
    after: After = None,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print the ids of --term alone, one a line.")] = False,
) -> None:
    """Tell which keys that work would not fit a policy, if it were set so; without terms, as it is."""
    check_one_form(quiet, options.as_json)
    if quiet and term is None:
        raise BadInputError("--quiet prints the ids of one term: name it with --term")
    given = (longest_lifetime, default_lifetime, longest_grace, idle_days, most_active_keys, environments, permissions)
    terms = _terms(given)
    options.check_file()
    async with options.keys() as keys:
        seen = await keys.policies.preview(project, term=term, after=after, limit=limit, **terms)
    _print_preview(seen, term, as_json=options.as_json, quiet=quiet)


def _terms(given: Sequence[str | None]) -> dict[str, Any]:
    """The terms that were typed, in the order of `TERMS`. Raises `BadInputError`."""
    typed = {name: text for name, text in zip(TERMS, given, strict=True) if text is not None}
    return {name: None if text == ANY else _value(name, text) for name, text in typed.items()}


def _value(name: str, text: str) -> Any:
    option = f"--{name.replace('_', '-')}"
    if name in {"environments", "permissions"}:
        return split_names([text])
    if name in {"idle_days", "most_active_keys"}:
        if not (text.isascii() and text.isdecimal()):
            raise BadInputError(f"{option} {text!r} must be a whole number, or {ANY}")
        return int(text)
    return parse_seconds(option, text)


def _print_policy(policy: Policy, *, as_json: bool) -> None:
    if as_json:
        print_json(policy.told)
        return
    pairs = [(name.replace("_", " "), text) for name, text in zip(TERMS, _row(policy)[1:], strict=True)]
    idle = [] if policy.idle_from is None else [("idle from", policy.idle_from.isoformat(timespec="seconds"))]
    print_pairs([("whose", _row(policy)[0]), *pairs, *idle])


def _row(policy: Policy) -> Sequence[str]:
    return [policy.project or "(all keys)", *(_text(name, getattr(policy, name)) for name in TERMS)]


def _text(name: str, value: Any) -> str:
    if value is None:
        return ANY
    if isinstance(value, float):
        return format_span(value)
    return ",".join(sorted(value)) or "none" if name in {"environments", "permissions"} else str(value)


def _print_preview(seen: PolicyPreview, term: str | None, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        pages: Mapping[str, Any] = {
            name: {"count": seen.counts.get(name, 0), "ids": page.items, "next": page.next}
            for name, page in seen.pages.items()
        }
        print_json({"policy": seen.policy.told, "misfits": pages})
        return
    if term is None:
        rows = [(name, str(count), " ".join(seen.pages[name].items[:3])) for name, count in seen.counts.items()]
        print_rows(("term", "keys that do not fit", "such as"), rows, cut=("such as",))
        return
    page = seen.pages[term]
    for key_id in page.items:
        print_line(key_id)
    if not quiet:
        print_note(f"{seen.counts.get(term, 0)} keys do not fit")
        note_more(page, as_json=False)
