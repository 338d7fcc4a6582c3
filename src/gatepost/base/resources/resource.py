"""One resource, as text: `collection:spring`, `dir:/campaigns/2026`; and those that a key may be limited to.

    kind ─ : ─ name, whose parts are between slashes            a limit may end in /*: all that is below

A name is compared in one form, which `normal_path` makes: what a request says in several ways is one resource, and what
could be more than one is none (docs/decisions/0063).
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson

from gatepost.base.errors import BadInputError

Resources = tuple[str, ...]
"""What a permission is limited to, sorted; empty = to nothing at all."""

RESOURCE_MAX = 200
"""Longest resource, in characters."""

RESOURCES_MAX = 50
"""Most resources of one key, role, template or temporary secret."""

BELOW = "/*"

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,29}:")
_UNCLEAR = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]|%(?:2[ef5]|5c|00)", re.IGNORECASE)
"""What is no part of a name: control characters and halves of pairs, what some take for a slash, and what becomes a
slash, a dot or a percent sign when somebody decodes it once more."""


def normal_path(path: str) -> str | None:
    """The one form of a path: without empty parts and `.`, each `..` taken with the part before it, no slash at its
    start or end; empty = the root. `None` where nobody can say what it is: it climbs above its start, or has a
    backslash, a control character, or such a character (or a dot, slash or percent sign) encoded once more. Upper and
    lower case differ, and so do letters written in other code points. For what reads files: open this, below the
    folder that all of them are in."""
    normal = _normal_name(path)
    return None if normal is None else normal.removeprefix("/")


def _normal_name(path: str) -> str | None:
    """The same, with a slash at its start if it has any there."""
    if _UNCLEAR.search(path):
        return None
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def normal_resource(text: str) -> str | None:
    """The one form of a resource; `None` where nobody can say which it is, as for `normal_path`, or it has no kind."""
    kind = _KIND.match(text)
    if kind is None or len(text) > 10 * RESOURCE_MAX:
        return None
    name = _normal_name(text[kind.end() :])
    return kind[0] + name if name else None


def reaches(resources: Resources, resource: str) -> bool:
    """Whether a resource in its one form is one of `resources`, or below one that ends in `/*`."""
    return any(
        resource.startswith(each[:-1]) and len(resource) >= len(each) if each.endswith(BELOW) else resource == each
        for each in resources
    )


def within_resources(inner: Resources | None, outer: Resources | None) -> bool:
    """Whether all that `inner` reaches `outer` reaches too; `None` reaches everything."""
    if outer is None or inner is None:
        return outer is None
    return all(_is_below(each, outer) for each in inner)


def common_resources(one: Resources | None, other: Resources | None) -> Resources | None:
    """What both reach, exactly: of two names one is below the other, or nothing is below both. `None` = everything."""
    if one is None or other is None:
        return other if one is None else one
    return tuple(sorted({*(each for each in one if _is_below(each, other)), *(e for e in other if _is_below(e, one))}))


def _is_below(inner: str, outer: Resources) -> bool:
    if not inner.endswith(BELOW):
        return reaches(outer, inner)
    return any(each.endswith(BELOW) and inner.startswith(each[:-1]) for each in outer)


def checked_resources(given: Iterable[str] | None, most: int | None = RESOURCES_MAX) -> Resources | None:
    """What a verb is given, sorted, each once. `most`: how many; `None` = any number. Raises `BadInputError`."""
    if given is None:
        return None
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise BadInputError(
            f"resources must be a list, such as ['collection:spring', 'dir:/campaigns/*'], not {given!r:.60}",
            "resources",
        )
    found = sorted({_checked(each) for each in given})
    if most is not None and len(found) > most:
        raise BadInputError(f"resources must be {most} at most, not {len(found)}", "resources")
    return tuple(found)


def _checked(text: Any) -> str:
    """One of them. Raises `BadInputError`."""
    if not isinstance(text, str) or _KIND.match(text) is None:
        raise BadInputError(
            f"resources: {text!r:.60} must be a kind, a colon and a name: 'collection:spring', 'dir:/campaigns/*'; the "
            "kind in lower case",
            "resources",
        )
    if len(text) > RESOURCE_MAX:
        raise BadInputError(
            f"resources: {text!r:.60} must have {RESOURCE_MAX} characters at most, not {len(text)}", "resources"
        )
    if text != text.strip():
        raise BadInputError(f"resources: {text!r:.60} must have no blanks at its ends", "resources")
    is_below = text.endswith(BELOW)
    rest = text.removesuffix(BELOW) if is_below else text
    if "*" in rest:
        raise BadInputError(
            f"resources: {text!r:.60} has a * within: it stands for all below a name, at its end, behind a slash",
            "resources",
        )
    normal = normal_resource(rest)
    if is_below and normal is not None and normal.endswith(":/"):
        normal = normal[:-1]  # what is below the root begins with its one slash
    if is_below and normal is None and rest.endswith(":"):
        normal = rest  # everything below the root of that kind
    if normal is None:
        raise BadInputError(
            f"resources: {text!r:.60} names nothing for certain: no '..' above the start, no backslashes, no control "
            "or percent-encoded characters",
            "resources",
        )
    if normal != rest:
        raise BadInputError(
            f"resources: {text!r:.60} must be written as it is compared: {normal + (BELOW if is_below else '')!r:.80}",
            "resources",
        )
    return text


def resources_text(resources: Resources | None) -> str | None:
    """What is stored: a JSON array; `None` = null."""
    return None if resources is None else orjson.dumps(resources).decode()


@lru_cache(maxsize=1024)
def resources_of(text: str | None) -> Resources | None:
    """What is stored there; empty, so that nothing is reached, for what somebody has written by hand and wrongly."""
    if text is None:
        return None
    try:
        return checked_resources(orjson.loads(text)) or ()
    except ValueError:  # BadInputError is one
        return ()
