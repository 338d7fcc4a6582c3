"""How a hash follows from the one before, and what of a change goes into it (docs/decisions/0060).

    lines of change 16 ──> content ─┐        lines of change 17 ──> content ─┐
    hash of change 15 ──────────────┴──> hash of change 16 ──────────────────┴──> hash of change 17 ──> ...

A line is one event, as it is exported: what is hashed is what people read. Hashes are HMAC-SHA-256 under a key that is
derived from a server key, so who can write to the database, and has no server key, cannot make one.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from hashlib import blake2b
from typing import Any

import orjson

NOTHING = bytes(32)
"""The hash before the first one."""

SECRET_BYTES = 16
"""Of the name that a line has for a secret: no part of its digest, and no other secret has the same."""

NAME_BYTES = 4
"""Of the name of a key that seals: enough to tell the few of an installation apart."""

CHAIN_FIELDS = ("before", "hash", "sealed_by")
"""What an exported line tells beside what is hashed: the change's hash, the one before, and the key of the former."""

_TEXTS = ("key_id", "project", "owner", "environment", "kind", "actor", "actor_kind", "actor_id", "address")


def line_of(row: Any) -> dict[str, Any]:
    """One event, from its row, as it is exported. `nonce`: as text, since it has more digits than programs in
    JavaScript keep. `secret`: a name that tells it from others, 32 hexadecimal digits; `None` = it is about none."""
    return {
        "seq": row.seq,
        "n": row.n,
        "nonce": str(row.nonce),
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "secret": None if row.digest is None else _secret_name(bytes(row.digest)),
        "detail": None if row.detail is None else _detail_of(row.detail),
        **{name: getattr(row, name) for name in _TEXTS},
    }


def _secret_name(digest: bytes) -> str:
    return blake2b(digest, digest_size=SECRET_BYTES, person=b"gatepost log").hexdigest()


def _detail_of(text: str) -> Any:
    """The detail as an object; as it stands where somebody has made it unreadable."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def line_text(line: Mapping[str, Any]) -> bytes:
    """What is hashed of a line."""
    return orjson.dumps(line, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Link:
    """What is kept of a change that is sealed. `lines`: how many events it has. `hash`: 32 bytes. `sealed_by`: the name
    of the key, 8 characters."""

    seq: int
    lines: int
    hash: bytes
    sealed_by: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the chain begins: the log is pruned up to `seq`, whose hash was `hash`. `kept`: the last hash of the chain
    of those lines up to there that pruning has kept. `sealed_by`, `seal`: as of a link, over the three."""

    seq: int
    hash: bytes
    kept: bytes
    sealed_by: str
    seal: bytes


BEGINNING = Anchor(-1, NOTHING, NOTHING, "", NOTHING)
"""Of a log that was never pruned. It needs no seal: from it, only the whole log follows."""


def sealed_line(line: Mapping[str, Any], before: bytes, link: Link) -> bytes:
    """A line as it is exported, with the hash of its change and of the one before."""
    told = {"before": before.hex(), "hash": link.hash.hex(), "sealed_by": link.sealed_by}
    return orjson.dumps({**line, **told}, option=orjson.OPT_APPEND_NEWLINE)


class Content:
    """What a change has, line by line in their order. `lines`: how many so far."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._hash = hmac.new(key, b"lines\0", "sha256")
        self.lines = 0

    def add(self, line: Mapping[str, Any]) -> None:
        """The next line."""
        text = line_text(line)
        self._hash.update(len(text).to_bytes(8) + text)
        self.lines += 1

    def hash_after(self, before: bytes) -> bytes:
        """The hash of the change, 32 bytes, from that of the change before."""
        return hmac.digest(self._key, b"link\0" + before + self._hash.digest(), "sha256")


class Links:
    """Makes hashes, and checks them. `keys`: of 32 bytes each; the first one makes, all check."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {hmac.digest(key, b"name", "sha256")[:NAME_BYTES].hex(): key for key in keys}
        self.name = next(iter(self._keys))

    def knows(self, name: str) -> bool:
        """Whether the key of this name is here."""
        return name in self._keys

    def content(self, name: str | None = None) -> Content:
        """A change's, empty still, under the key of this name; `None` = that which makes."""
        return Content(self._keys[self.name if name is None else name])

    def anchor(self, seq: int, at: bytes, kept: bytes) -> Anchor:
        """A sealed one."""
        return Anchor(seq, at, kept, self.name, self._seal(self.name, seq, at, kept))

    def is_genuine(self, anchor: Anchor) -> bool | None:
        """Whether an anchor was made with a key that is here; `None` = the key is not here."""
        if anchor == BEGINNING:
            return True
        if not self.knows(anchor.sealed_by):
            return None if anchor.sealed_by else False
        return hmac.compare_digest(anchor.seal, self._seal(anchor.sealed_by, anchor.seq, anchor.hash, anchor.kept))

    def _seal(self, name: str, seq: int, at: bytes, kept: bytes) -> bytes:
        return hmac.digest(self._keys[name], b"anchor\0" + seq.to_bytes(8, signed=True) + at + kept, "sha256")
