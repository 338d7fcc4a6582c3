"""All that the store knows besides the files' bytes, in one JSON file: a value that is copied, changed, and saved."""

import dataclasses
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import orjson

from gatepost.demo.errors import BadValueError, ConflictError, NotFoundError, StoreError
from gatepost.demo.tree import lineage

UPLOAD_MAX_BYTES = 16 * 1024 * 1024
"""Largest file that any configuration lets in: 16 MiB, so that Pillow's work on one stays short."""

SHARE_MAX_SECONDS = 365 * 86_400
"""Longest life of a share or an airbox: a year."""

NAME_MAX = 64
"""Longest name of a label, collection, person or metadata field, in characters."""

Scalar = str | int | float | bool
Visibility = Literal["public", "private"]
Vote = Literal["approve", "reject"]


@dataclass(slots=True)
class Facts:
    """What is known of one file or directory."""

    meta: dict[str, Scalar] = field(default_factory=dict)
    visibility: Visibility = "public"
    labels: list[str] = field(default_factory=list)
    product: dict[str, str | int] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Config:
    """The container's settings. `allowed_types`: patterns such as `image/*`; `share_seconds`: a link's usual life."""

    upload_max_bytes: int = UPLOAD_MAX_BYTES
    allowed_types: list[str] = field(default_factory=lambda: ["*/*"])
    share_seconds: int = 7 * 86_400


@dataclass(slots=True)
class Link:
    """A share or an airbox. `expires_at`: Unix time in seconds; `remaining`: uploads that it still takes (airbox)."""

    path: str
    expires_at: float
    remaining: int = 0


@dataclass(slots=True)
class Approval:
    """A request to approve a file. `quorum`: as many equal votes decide it. `votes`: by the voter's name."""

    path: str
    quorum: int
    votes: dict[str, Vote] = field(default_factory=dict)
    state: Literal["open", "approved", "rejected"] = "open"


Record = TypeVar("Record", Link, Approval)


@dataclass(slots=True)
class Ledger:
    """The records. `objects`, `accesses`: by path; `collections`: paths of files; links: by their token's digest."""

    objects: dict[str, Facts] = field(default_factory=dict)
    accesses: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    collections: dict[str, list[str]] = field(default_factory=dict)
    shares: dict[str, Link] = field(default_factory=dict)
    airboxes: dict[str, Link] = field(default_factory=dict)
    approvals: dict[str, Approval] = field(default_factory=dict)
    config: Config = field(default_factory=Config)

    @classmethod
    def load(cls, file: Path) -> Self:
        """The ledger in `file`, or a new one where there is no file. Raises `StoreError` for a file that is not one."""
        try:
            return cls._from_json(file.read_bytes()) if file.exists() else cls()
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(f"{file} is not a ledger of this store ({error}); move it away to begin anew.") from error

    def save(self, file: Path) -> None:
        """Write it to `file` in one step: a reader, or the next start, finds the old ledger or this one."""
        draft = file.with_suffix(".new")
        draft.write_bytes(orjson.dumps(self, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
        os.replace(draft, file)  # noqa: PTH105 - the name says what matters here: atomic on every platform

    def copy(self) -> Self:
        """An equal ledger that shares nothing with this one."""
        return self._from_json(orjson.dumps(self))

    @classmethod
    def _from_json(cls, text: bytes) -> Self:
        raw: dict[str, Any] = orjson.loads(text)
        parts = {"objects": Facts, "shares": Link, "airboxes": Link, "approvals": Approval}
        for name, kind in parts.items():
            raw[name] = {key: kind(**value) for key, value in raw[name].items()}
        return cls(**raw | {"config": Config(**raw["config"])})

    def facts(self, path: str) -> Facts:
        """What is known of `path`, to be read only."""
        return self.objects.get(path) or Facts()

    def is_private(self, path: str) -> bool:
        """Whether `path`, or a directory above it, is private."""
        return any(self.facts(place).visibility == "private" for place in lineage(path))

    def admits(self, person: str, path: str) -> bool:
        """Whether the person may see `path`: is on the list of every directory at or above it that has one.

        `""` is nobody in particular, the holder of the key, who may.
        """
        return not person or all(person in self.accesses.get(place, [person]) for place in lineage(path))

    def relocate(self, old: str, new: str | None) -> None:
        """Follow a move from `old` to `new` of a file, or of a directory with all below it; `None`: it was deleted."""

        def moved(path: str) -> str | None:
            if path != old and not path.startswith(old + "/"):
                return path
            return None if new is None else new + path[len(old) :]

        def follow(records: dict[str, Record]) -> dict[str, Record]:
            followed = ((key, record, moved(record.path)) for key, record in records.items())
            return {key: dataclasses.replace(record, path=path) for key, record, path in followed if path is not None}

        self.objects = {to: facts for path, facts in self.objects.items() if (to := moved(path)) is not None}
        self.accesses = {to: names for path, names in self.accesses.items() if (to := moved(path)) is not None}
        for name, paths in self.collections.items():
            self.collections[name] = [to for path in paths if (to := moved(path)) is not None]
        self.shares, self.airboxes = follow(self.shares), follow(self.airboxes)
        self.approvals = follow(self.approvals)

    def live(self, links: dict[str, Link], link_id: str, now: float) -> Link:
        """The share or airbox with this id. Raises `NotFoundError` where there is none, or its time has run out."""
        link = links.get(link_id)
        if link is None or link.expires_at <= now:
            raise NotFoundError("There is no such link, or no longer.")
        return link

    def use_airbox(self, link_id: str, now: float) -> Link:
        """The airbox, with one upload less to take. Raises as `live`, or `ConflictError` for one that is full."""
        airbox = self.live(self.airboxes, link_id, now)
        if airbox.remaining < 1:
            raise ConflictError("This airbox has taken all the files that it was made for.")
        airbox.remaining -= 1
        return airbox


def digest(token: str) -> str:
    """All that is kept of a link's token: its SHA-256, as 64 hexadecimal digits. It is also the link's id."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def checked_label(what: str, name: str) -> str:
    """The name itself. Raises `BadValueError` unless it has 1 to 64 printable characters, no blank at an end."""
    if not 0 < len(name) <= NAME_MAX or not name.isprintable() or name != name.strip():
        raise BadValueError(f"{name!r} cannot be the name of a {what}: give 1 to {NAME_MAX} printable characters.")
    return name


def checked_count(what: str, value: int, most: int) -> int:
    """The value itself. Raises `BadValueError` unless it is 1 to `most`."""
    if not 0 < value <= most:
        raise BadValueError(f"{what} is 1 to {most}.")
    return value
