"""What is told of a role, and of who gains and loses what by its edit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from shlex import quote
from typing import Any

from gatepost.base import APIKey, Total
from gatepost.cli.output.console import is_terminal, print_json, print_note, print_pairs, print_rows
from gatepost.cli.output.views import EVERY_PROJECT, moment_text, permission_pairs, resource_pairs
from gatepost.keys import propagation_json, propagation_text
from gatepost.rules import Catalogue, Role, RoleChange

ROLE_HEADS = ("role", "project", "description", "perms")
_CHANGE_HEADS = ("change", "permission", "keys", "which")

NAMED_MAX = 10
"""Most keys that are named for a permission at a terminal, where a pipe and JSON have all; and with a role."""


def role_json(role: Role) -> Mapping[str, Any]:
    """A role, for programs."""
    return {**asdict(role), "permissions": sorted(role.permissions), "patterns": [*role.patterns]}


def role_row(role: Role) -> Sequence[str]:
    """A role in a list. A pipe gets the permissions' names, and nothing for what there is none of."""
    if not is_terminal():
        return (role.name, role.project or "", role.description, ",".join(sorted(role.permissions)))
    return (role.name, role.project or EVERY_PROJECT, role.description, str(len(role.permissions)))


def print_role(
    role: Role, catalogue: type[Catalogue], held: tuple[Total, Sequence[APIKey]] | None = None, *, as_json: bool
) -> None:
    """Everything about a role. `held`: by how many keys, and some of them; JSON has the role alone."""
    if as_json:
        print_json(role_json(role))
        return
    print_pairs(
        [
            ("role", role.name),
            ("project", role.project or EVERY_PROJECT),
            ("description", role.description),
            *permission_pairs(role.permissions, catalogue),
            *resource_pairs(role.resources),
            *([("written as", ",".join(role.patterns))] if role.patterns else []),
            ("created", moment_text(role.created_at)),
            ("updated", moment_text(role.updated_at)),
            *([] if held is None else _holders(role, *held)),
        ]
    )


def _holders(role: Role, total: Total, keys: Sequence[APIKey]) -> Iterator[tuple[str, str]]:
    yield "held by", f"{total} key{'' if total == Total(1, exact=True) else 's'}"
    for key in keys:
        yield key.id, key.description
    if not total.exact or total.number > len(keys):
        of = "" if role.project is None else f" --project {quote(role.project)}"
        yield "all of them", f"gatepost keys list --role {role.name}{of}"


def print_role_change(change: RoleChange, done: str, *, as_json: bool) -> None:
    """Which keys gain and lose what by a change, or would. `done`: the word for what became of the role."""
    if as_json:
        print_json(
            {
                "role": None if change.role is None else role_json(change.role),
                "seq": change.seq,
                "keys": change.keys,
                "gains": change.gains,
                "loses": change.loses,
                "propagation": propagation_json(change.propagation),
                "preview": change.is_preview,
            }
        )
        return
    if change.gains or change.loses:
        print_rows(_CHANGE_HEADS, [*_change_rows(change)], fold=("which",))
    count = len(change.keys)
    hold = "held" if change.role is None and not change.is_preview else "holds" if count == 1 else "hold"
    many = f"{count:,} key{'' if count == 1 else 's'} {hold} it"
    if change.is_preview:
        print_note(f"Nothing was changed: the role would be {done}; {many}")
    elif change.seq is None:
        print_note("Nothing had to change")
    else:
        print_note(f"The role is {done}; {many}")
        if change.loses and (text := propagation_text(change.propagation)):
            print_note(text)


def _change_rows(change: RoleChange) -> Iterator[Sequence[str]]:
    for word, of in (("gains", change.gains), ("loses", change.loses)):
        for permission, ids in of.items():
            yield word, permission, str(len(ids)), _named(ids)


def _named(ids: Sequence[str]) -> str:
    if not is_terminal():
        return ",".join(ids)
    more = f" … and {len(ids) - NAMED_MAX:,} more" if len(ids) > NAMED_MAX else ""
    return " ".join(ids[:NAMED_MAX]) + more
