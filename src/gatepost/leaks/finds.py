"""From a report to finds: the digest of each secret, and where it was found. No secret goes further than this file."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import orjson
from starlette.exceptions import HTTPException

from gatepost.base import PLACE_MAX, SECRET_MAX, digest, secret_pattern
from gatepost.keys import APIKeys
from gatepost.temporary import Claims

KIND_MAX = 100
"""Longest name of a kind of secrets."""

HIDDEN = "..."
"""What stands for a path with a secret in it."""

UNQUOTED = 3
"""How often a path may be quoted, one within another, for a secret in it to be seen."""

HEAD = 12
"""Characters by which a text is looked through for tokens: more than a prefix, which many have in common."""

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,200}")
_SAFE = "/@:+,;=~!$&'()*-._"


@dataclass(frozen=True, slots=True)
class Find:
    """A secret that was found. `digest`: 32 bytes. `is_ours`: it was made here, or may have been imported: what is not
    is asked of no database, and has no place. `is_genuine`: it was made here, by its HMAC. `kind`: what the scanner
    calls such secrets. `place`: a URL, cleaned; `None` = not told. `source`: what the scanner found it in. `claims`: of
    a temporary secret."""

    digest: bytes
    is_ours: bool
    is_genuine: bool
    kind: str = ""
    place: str | None = None
    source: str | None = None
    claims: Claims | None = None


def entries_of(body: bytes, most: int) -> Sequence[dict[str, Any]]:
    """The objects of a JSON array, at most `most`. Raises `HTTPException` 400, which repeats nothing of the body."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise HTTPException(400, "The body must be JSON.") from None
    if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
        raise HTTPException(400, "The body must be a JSON array of objects.")
    if len(told) > most:
        raise HTTPException(400, f"The body must have at most {most} entries.")
    return told


def finds_of(keys: APIKeys, entries: Iterable[dict[str, Any]], place: str) -> Sequence[Find]:
    """The finds of a scanner: members `token`, `type`, `source`, and the one called `place`. Raises `HTTPException`
    400."""
    told = list(entries)
    tokens = [_text(each, "token") for each in told]
    hide = _hiding(keys.prefix, tokens)
    finds = []
    for each, token in zip(told, tokens, strict=True):
        find = find_of(keys, token, kind=_text(each, "type")[:KIND_MAX], source=_word(each.get("source")))
        finds.append(replace(find, place=hide(each.get(place))) if find.is_ours else find)
    return finds


def find_of(keys: APIKeys, secret: str, *, kind: str = "", source: str | None = None) -> Find:
    """The find of a secret, without its place."""
    raw = secret.strip().encode("utf-8", "surrogatepass")
    may_be = 0 < len(raw) <= SECRET_MAX
    claims = keys.claims_of(raw)
    is_genuine = may_be and (claims is not None or keys.is_genuine(raw))
    is_ours = is_genuine or (may_be and keys.foreign_secrets)
    return Find(digest(raw), is_ours, is_genuine, kind, source=source, claims=claims)


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise HTTPException(400, f"Each entry must have a {name}, a text.")
    return value


def _word(text: object) -> str | None:
    """What a scanner calls where it looked: a word of ASCII letters, or nothing."""
    return text.lower() if isinstance(text, str) and re.fullmatch(r"[A-Za-z_]{1,40}", text) else None


def _finder(tokens: Iterable[str]) -> Callable[[str], bool]:
    """What tells whether any of the tokens is in a text: by their first characters, so that for ten thousand tokens it
    takes about as long as for one."""
    found = defaultdict(list)
    for token in set(tokens):
        found[token[:HEAD]].append(token)
    by_head = {head: tuple(these) for head, these in found.items()}
    lengths = {len(head) for head in by_head}

    def has_token(text: str) -> bool:
        return any(
            text.startswith(by_head.get(text[at : at + length], ()), at)
            for length in lengths
            for at in range(len(text) - length + 1)
        )

    return has_token


def _hiding(prefix: str, tokens: Sequence[str]) -> Callable[[object], str | None]:
    """What cleans the URL of a find: without user, query and fragment, which may hold anything, without any secret, in
    ASCII."""
    pattern = re.compile(secret_pattern(prefix))
    has_token = _finder(tokens)

    def has_secret(text: str) -> bool:
        return pattern.search(text) is not None or has_token(text)

    def clean(url: object) -> str | None:
        if not isinstance(url, str):
            return None
        try:
            parts = urlsplit(url.strip())
        except ValueError:
            return None
        host, path = parts.netloc.rpartition("@")[2], parts.path
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
            return None
        for _ in range(UNQUOTED):
            path = unquote(path)
        told = f"{parts.scheme}://{host}"
        if has_secret(host + path):
            return None if has_secret(host) else f"{told}/{HIDDEN}"
        return (told + quote(path, safe=_SAFE, errors="replace"))[:PLACE_MAX]

    return clean
