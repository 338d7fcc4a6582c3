"""What is told of a key and of a change, to people and to programs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gatepost.base import (
    WHOLE_KINDS,
    AccessDeniedError,
    APIKey,
    ChangeEvent,
    Issued,
    KeyNotFoundError,
    OldSecret,
    Outcome,
    Page,
    Receipt,
    State,
    Verdict,
    limit_of_json,
    limit_text,
    metadata_text,
)
from gatepost.cli.output.console import STATUS, is_terminal, print_json, print_line, print_note, print_pairs, print_rows
from gatepost.keys import APIKeys, actor_text, key_json, propagation_json, propagation_text
from gatepost.rules import Catalogue

LIST_HEADS = ("id", STATUS, "project", "description", "perms", "expires", "last used")
EVENT_HEADS = ("when", "who", "from", "what", "key", "change")

_SHOWN_ONCE = "This secret is shown only now: put it where the program that uses it will find it."
_SHOWN_AGAIN = "Put this secret where the program that uses it will find it. gatepost keys reveal shows it again."
EVERY_PROJECT = "(every)"
_NEVER = "never"
_VERDICTS = {
    Outcome.VALID: "it may be used",
    Outcome.INVALID: "no key has this secret",
    Outcome.DEACTIVATED: "its key is deactivated",
    Outcome.ENVIRONMENT_DENIED: "its key is for another environment",
    Outcome.ORIGIN_DENIED: "it is for web pages of other origins",
    Outcome.SUBJECT_DENIED: "it was issued for somebody, whom nobody confirms here",
    Outcome.ADDRESS_DENIED: "its key may not be used from there; --address tells from where",
    Outcome.EXPIRED: "its key has expired, or its time since a rotation is over",
}


def status_of(key: APIKey) -> State:
    """What the key is good for now, by this machine's clock."""
    return key.state(datetime.now(UTC))


def key_row(key: APIKey) -> Sequence[str]:
    """A key in a list. A pipe gets names and moments in full, and nothing for what there is none of."""
    if not is_terminal():
        expires = key.expires_at.isoformat() if key.expires_at else ""
        used = key.last_used_at.isoformat() if key.last_used_at else ""
        told = [key.id, status_of(key), key.project or "", key.description, ",".join(sorted(key.permissions))]
        return [*told, expires, used]
    return [
        key.id,
        status_of(key),
        key.project or EVERY_PROJECT,
        key.description,
        str(len(key.permissions)),
        f"{key.expires_at:%Y-%m-%d}" if key.expires_at else _NEVER,
        f"{key.last_used_at:%Y-%m-%d}" if key.last_used_at else _NEVER,
    ]


def print_keys(page: Page[APIKey], *, as_json: bool, quiet: bool, none: str = "No keys") -> None:
    """A page of keys, or if `quiet` their ids alone. `none`: what people are told where there are none."""
    if as_json:
        print_json({"items": [key_json(key) for key in page.items], "next": page.next})
    elif quiet:
        for key in page.items:
            print_line(key.id)
    elif page.items or not is_terminal():
        print_rows(LIST_HEADS, [key_row(key) for key in page.items], cut=("description", "project"))
    else:
        print_note(none)


def key_pairs(key: APIKey, catalogue: type[Catalogue]) -> Sequence[tuple[str, str]]:
    """Everything about a key. A permission has a line of its own, with its sentence."""
    told = key_json(key)
    return [
        ("id", key.id),
        ("description", key.description),
        (STATUS, status_of(key)),
        ("project", key.project or EVERY_PROJECT),
        *permission_pairs(frozenset(told["permissions"]), catalogue),
        *_role_pairs(key),
        ("expires", moment_text(key.expires_at) if key.expires_at else _NEVER),
        ("allowed from", _allow_text(key)),
        *resource_pairs(key.resources, told["role_resources"]),
        ("limits", (", " if is_terminal() else ",").join(map(limit_text, key.limits)) or "none"),
        *([("owner", key.owner)] if key.owner else []),
        *([("environment", key.environment)] if key.environment else []),
        *([("metadata", metadata_text(key.metadata) or "")] if key.metadata else []),
        ("created", moment_text(key.created_at)),
        ("updated", moment_text(key.updated_at)),
        ("last used", moment_text(key.last_used_at) if key.last_used_at else _NEVER),
        *([("hint", key.hint)] if key.hint else []),
        *([("old secret", _old_secret_text(key.old_secret))] if key.old_secret else []),
    ]


def print_key(key: APIKey, catalogue: type[Catalogue], *, as_json: bool) -> None:
    """One key."""
    if as_json:
        print_json(key_json(key))
    else:
        print_pairs(key_pairs(key, catalogue))


def print_issued(
    issued: Issued, keys: APIKeys, note: str, *, as_json: bool, quiet: bool, made: Path | None = None
) -> None:
    """A new secret, alone if `quiet`, else with its key. `note`: a sentence for people. `made`: the SQLite file that
    there was not before."""
    if as_json:
        new = {} if made is None else {"file_made": str(made)}
        print_json({**key_json(issued.key), "secret": issued.secret, **new})
        return
    told = f"{_SHOWN_AGAIN if keys.has_vault else _SHOWN_ONCE} {note}".strip()
    _print_secret(issued.secret, key_pairs(issued.key, keys.catalogue), told, quiet=quiet)


def print_revealed(key_id: str, secret: str, *, as_json: bool, quiet: bool) -> None:
    """The secret of a key that there was before, alone if `quiet`."""
    if as_json:
        print_json({"id": key_id, "secret": secret})
    else:
        _print_secret(secret, [("id", key_id)], "The audit log tells that you asked for it.", quiet=quiet)


def _print_secret(secret: str, pairs: Sequence[tuple[str, str]], note: str, *, quiet: bool) -> None:
    """A secret, on a line of its own for people, so that it can be copied."""
    if quiet:
        print_line(secret)
    elif is_terminal():
        print_line("")
        print_pairs(pairs)
        print_line("")
        print_line(secret, "bold")
        print_line("")
        print_line(note)
    else:
        print_pairs([*pairs, ("secret", secret)])
        print_note(note)


def print_verdict(verdict: Verdict, catalogue: type[Catalogue], *, as_json: bool) -> None:
    """Which key a secret opens."""
    outcome, key = verdict.outcome, verdict.key
    if as_json:
        print_json({"outcome": outcome, "usable": verdict.valid, "key": None if key is None else key_json(key)})
        return
    told = f"{outcome}: {_VERDICTS[outcome]}" if is_terminal() else outcome.value
    print_pairs([("outcome", told), *(() if key is None else key_pairs(key, catalogue))])


def print_receipt(receipt: Receipt, done: str, *, as_json: bool) -> None:
    """What became of each id, or would. `done`: the word for the changed ones."""
    told = receipt.is_preview
    if as_json:
        print_json(
            {
                "seq": receipt.seq,
                "changed": receipt.changed,
                "unchanged": receipt.unchanged,
                "unknown": receipt.unknown,
                "denied": receipt.denied,
                "propagation": propagation_json(receipt.propagation),
                **({"preview": True} if told else {}),
            }
        )
        return
    rows = [
        *((key_id, f"would be {done}" if told else done) for key_id in receipt.changed),
        *((key_id, "unchanged") for key_id in receipt.unchanged),
        *((key_id, "unknown") for key_id in receipt.unknown),
        *((key_id, "denied") for key_id in receipt.denied),
    ]
    if rows:
        print_rows(("id", STATUS), rows)
        if told:
            print_note(f"Nothing was changed: {len(receipt.changed):,} of {len(rows):,} keys would be {done}")
        elif text := propagation_text(receipt.propagation):
            print_note(text)
    else:
        print_note("No keys were meant, nothing was changed")


def tell_receipt(receipt: Receipt, done: str, *, as_json: bool) -> None:
    """Print the receipt. Raises `KeyNotFoundError`, `AccessDeniedError` after it for what was not done."""
    print_receipt(receipt, done, as_json=as_json)
    if receipt.unknown:
        raise KeyNotFoundError(receipt.unknown)
    if receipt.denied:
        raise AccessDeniedError("; ".join(f"{key_id}: {why}" for key_id, why in receipt.denied.items()))


def event_row(event: ChangeEvent) -> Sequence[str]:
    """One line of the audit log. A pipe gets moments in full, names alone, and last what they are the names of."""
    told = (event.address or "", event.kind, event.key_id or "", _detail_text(event))
    if is_terminal():
        return (f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M}", actor_text(event), *told)
    return (event.at.isoformat(), event.actor or "", *told, event.actor_kind or "", event.actor_id or "")


def _detail_text(event: ChangeEvent) -> str:
    """What changed: `description: old -> new`, or of a key that was made or deleted what it is, or was."""
    told = _value_text if event.kind in WHOLE_KINDS else _change_text
    return "; ".join(f"{name}: {told(name, value)}" for name, value in (event.detail or {}).items())


def _change_text(name: str, value: Any) -> str:
    if isinstance(value, Mapping) and value.keys() == {"old", "new"}:
        return f"{_value_text(name, value['old'])} -> {_value_text(name, value['new'])}"
    return _value_text(name, value)


_NAMED = {"allow": ("anywhere", "nowhere"), "resources": ("everything", "nothing")}
"""What is said of a list that there is none of, and of an empty one."""


def _value_text(name: str, value: Any) -> str:
    if name in _NAMED and not value:
        return _NAMED[name][value is not None]
    if name == "role_resources":
        value = [f"{each} on {' '.join(of) or 'nothing'}" for each, of in (value or {}).items()]
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        is_limit = name != "metadata" and "units" in value
        return limit_text(limit_of_json(value)) if is_limit else metadata_text(value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(_value_text("", each) for each in value) if isinstance(value, list) else str(value)


def permission_pairs(names: frozenset[str], catalogue: type[Catalogue]) -> Sequence[tuple[str, str]]:
    """Permissions of a key or a role: a line each, with their sentences."""
    if not is_terminal():
        return [("permissions", ",".join(sorted(names)))]
    sentences = {str(permission): permission.sentence for permission in catalogue}
    width = max((len(name) for name in names), default=0)
    lines = [f"{name:<{width}}  {sentences.get(name, '')}".rstrip() for name in sorted(names)] or ["none"]
    return [("permissions", lines[0]), *(("", line) for line in lines[1:])]


def _role_pairs(key: APIKey) -> Sequence[tuple[str, str]]:
    """What it holds, and what it has without that; nothing of a key without roles."""
    if not key.roles:
        return ()
    comma = ", " if is_terminal() else ","
    own = comma.join(sorted(key.own_permissions or ())) or ("none" if is_terminal() else "")
    return [("roles", comma.join(key.roles)), ("its own", own)]


def resource_pairs(
    resources: Sequence[str] | None, by_roles: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> Sequence[tuple[str, str]]:
    """What permissions hold on, where that is not everything; a line for each that limited roles give."""
    comma = ", " if is_terminal() else ","
    own = [] if resources is None else [("holds on", comma.join(resources) or "nothing")]
    return [*own, *((f"{name} on", comma.join(each) or "nothing") for name, each in by_roles.items())]


def _allow_text(key: APIKey) -> str:
    if key.allow is None:
        return "anywhere"
    return (", " if is_terminal() else ",").join(key.allow) or "nowhere"


def _old_secret_text(old: OldSecret) -> str:
    if not is_terminal():
        return f"{old.hint} {old.expires_at.isoformat()}"
    return f"{old.hint} works until {moment_text(old.expires_at)}"


def moment_text(moment: datetime) -> str:
    """A moment to a minute for people, in full for pipes."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if is_terminal() else moment.isoformat()
