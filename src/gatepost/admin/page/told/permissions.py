"""Permissions as people pick them: in groups, with presets. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatepost.rules import Catalogue, Permission

EVERYTHING_HELD = "Everything I hold"
"""The preset that is always there."""

GONE = "No longer in the catalogue"
"""The group of what a key still holds, but no catalogue declares."""

_TITLES = {"dir": "Directories", "config": "Configuration", "file": "Files", "object": "Objects", "user": "Users"}
"""Groups whose permissions' names do not say it well."""

_OTHER = "Other"
_SEPARATOR = re.compile("[_:]")
_LOOKS = frozenset(("LIST", "FETCH", "READ", "VIEW", "GET"))
_BRINGS = frozenset(("UPLOAD", "CREATE"))


@dataclass(frozen=True, slots=True)
class Group:
    """Permissions about one thing. `slug`: a word for ids and form values."""

    title: str
    slug: str
    permissions: Sequence[Permission]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.permissions)


def grouped(permissions: Iterable[Permission]) -> Sequence[Group]:
    """The permissions by the first part of their names, in the order of their first ones. `LABEL_MANAGE` and
    `LABELS_LIST` are of one group."""
    found: dict[str, list[Permission]] = {}
    words: dict[str, str] = {}
    for permission in permissions:
        first, *rest = _SEPARATOR.split(permission)
        word = first.lower() if rest else ""
        stem = _singular(word)
        found.setdefault(stem, []).append(permission)
        words[stem] = max(words.get(stem, ""), word, key=len)
    return [Group(_title(stem, words[stem]), stem or "other", members) for stem, members in found.items()]


def grouped_names(catalogue: Iterable[Permission], names: Iterable[str]) -> Sequence[tuple[str, Sequence[str]]]:
    """Names that a key holds, by the titles of their groups; those that no catalogue declares any longer at the end."""
    held = frozenset(names)
    found = [(group.title, [str(each) for each in group.permissions if each in held]) for group in grouped(catalogue)]
    gone = sorted(held.difference(*(members for _, members in found)))
    return [(title, members) for title, members in [*found, (GONE, gone)] if members]


def default_presets(catalogue: type[Catalogue]) -> Mapping[str, frozenset[str]]:
    """What most keys are for, by the words in the names: to look, and to bring something in."""
    presets = {
        "Read only": frozenset(name for name in catalogue if _words(name)[-1] in _LOOKS),
        "Upload": frozenset(name for name in catalogue if _BRINGS & set(_words(name))),
    }
    return {title: names for title, names in presets.items() if names}


def sentences(catalogue: type[Catalogue]) -> Mapping[str, str]:
    """What each permission allows, for people, by its name."""
    return {str(each): each.sentence[:1].upper() + each.sentence[1:] for each in catalogue}


def _words(name: str) -> list[str]:
    return _SEPARATOR.split(name.upper())


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _title(stem: str, word: str) -> str:
    return _TITLES.get(stem) or word.capitalize() or _OTHER
