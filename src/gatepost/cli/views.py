"""What is told of a key and of a change, to people and to programs."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from gatepost.catalogue import Catalogue
from gatepost.cli.output import STATUS, is_terminal, print_json, print_line, print_note, print_pairs, print_rows
from gatepost.models import APIKey, Issued, Propagation, Receipt

LIST_HEADS = ("id", STATUS, "project", "description", "perms", "expires")

_SHOWN_ONCE = "This secret is shown only now: put it where the program that uses it will find it."
_EVERY_PROJECT = "(every)"
_NEVER = "never"


def key_json(key: APIKey) -> Mapping[str, Any]:
    """A key for programs."""
    return {
        "id": key.id,
        "project": key.project,
        "description": key.description,
        "permissions": sorted(key.permissions),
        "active": key.active,
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "expires_at": key.expires_at,
        "hint": key.hint,
    }


def status_of(key: APIKey) -> str:
    """`active`, `deactivated` or `expired`, the last by this machine's clock."""
    if not key.active:
        return "deactivated"
    return "expired" if key.expires_at is not None and key.expires_at <= datetime.now(UTC) else "active"


def key_row(key: APIKey) -> Sequence[str]:
    """A key in a list. A pipe gets names and moments in full, and nothing for what there is none of."""
    if not is_terminal():
        expires = key.expires_at.isoformat() if key.expires_at else ""
        return [key.id, status_of(key), key.project or "", key.description, ",".join(sorted(key.permissions)), expires]
    return [
        key.id,
        status_of(key),
        key.project or _EVERY_PROJECT,
        key.description,
        str(len(key.permissions)),
        f"{key.expires_at:%Y-%m-%d}" if key.expires_at else _NEVER,
    ]


def key_pairs(key: APIKey, catalogue: type[Catalogue]) -> Sequence[tuple[str, str]]:
    """Everything about a key. A permission has a line of its own, with its sentence."""
    return [
        ("id", key.id),
        ("description", key.description),
        (STATUS, status_of(key)),
        ("project", key.project or _EVERY_PROJECT),
        *_permission_pairs(key, catalogue),
        ("expires", _moment(key.expires_at) if key.expires_at else _NEVER),
        ("created", _moment(key.created_at)),
        ("updated", _moment(key.updated_at)),
        ("hint", key.hint or ""),
    ]


def print_key(key: APIKey, catalogue: type[Catalogue], *, as_json: bool) -> None:
    """One key."""
    if as_json:
        print_json(key_json(key))
    else:
        print_pairs(key_pairs(key, catalogue))


def print_issued(issued: Issued, catalogue: type[Catalogue], note: str, *, as_json: bool, quiet: bool) -> None:
    """A new secret, alone if `quiet`, else with its key. `note`: a sentence for people."""
    if as_json:
        print_json({**key_json(issued.key), "secret": issued.secret})
    elif quiet:
        print_line(issued.secret)
    elif is_terminal():
        print_line("")
        print_pairs(key_pairs(issued.key, catalogue))
        print_line("")
        print_line(issued.secret, "bold")
        print_line("")
        print_line(f"{_SHOWN_ONCE} {note}".strip())
    else:
        print_pairs([*key_pairs(issued.key, catalogue), ("secret", issued.secret)])
        print_note(f"{_SHOWN_ONCE} {note}".strip())


def print_receipt(receipt: Receipt, done: str, *, as_json: bool) -> None:
    """What became of each id. `done`: the word for the changed ones."""
    if as_json:
        print_json(
            {
                "seq": receipt.seq,
                "changed": receipt.changed,
                "unchanged": receipt.unchanged,
                "unknown": receipt.unknown,
                "propagation": propagation_json(receipt.propagation),
            }
        )
        return
    rows = [
        *((key_id, done) for key_id in receipt.changed),
        *((key_id, "unchanged") for key_id in receipt.unchanged),
        *((key_id, "unknown") for key_id in receipt.unknown),
    ]
    if rows:
        print_rows(("id", STATUS), rows)
        if text := propagation_text(receipt.propagation):
            print_note(text)
    else:
        print_note("No ids were given, nothing was changed")


def propagation_json(propagation: Propagation) -> Mapping[str, Any]:
    """How far a change has come, for programs. Workers as {id, name}."""
    return {each.name: getattr(propagation, each.name) for each in fields(propagation)}


def propagation_text(propagation: Propagation) -> str:
    """How far a change has come, in a sentence; empty where no worker is running."""
    said, over = len(propagation.acknowledged), len(propagation.expired)
    count = said + over + len(propagation.left) + len(propagation.waiting)
    took = f"{propagation.seconds * 1000:.0f} ms" if propagation.seconds < 1 else f"{propagation.seconds:.1f} s"
    if not count and propagation.complete:
        return ""
    if propagation.complete:
        rest = f", {over} silent and past {'its' if over == 1 else 'their'} lease" if over else ""
        return f"Every worker acts on it: {said} of {count} confirmed{rest}, after {took}"
    moment = propagation.holds_from
    by = "" if moment is None else f"; all act on it from {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC on"
    return f"Committed; {said} of {count} workers have confirmed it{by}"


def _permission_pairs(key: APIKey, catalogue: type[Catalogue]) -> Sequence[tuple[str, str]]:
    if not is_terminal():
        return [("permissions", ",".join(sorted(key.permissions)))]
    sentences = {str(permission): permission.sentence for permission in catalogue}
    width = max((len(name) for name in key.permissions), default=0)
    lines = [f"{name:<{width}}  {sentences.get(name, '')}".rstrip() for name in sorted(key.permissions)] or ["none"]
    return [("permissions", lines[0]), *(("", line) for line in lines[1:])]


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if is_terminal() else moment.isoformat()
