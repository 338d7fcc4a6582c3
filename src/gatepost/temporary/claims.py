"""What a temporary secret claims, and its text: `gpt_<base64url of claims and MAC>` (docs/decisions/0061). No I/O.

    version, which parts ─ issued 4, expiry 4 ─ id 8 ─ digest of what it was made from 32 ─ parts … ─ MAC 16

The claims are readable to who holds it, and made by nobody but who has a server key. They say what it was narrowed to;
what it may do is said by the record of what it was made from, each time (`record.py`).
"""

import base64
import hmac
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b, sha256
from ipaddress import ip_network

from gatepost.base import (
    NO_LIMITS,
    BadInputError,
    Limits,
    Networks,
    Resources,
    checked_limits,
    checked_networks,
    checked_resources,
    limit_of_text,
    limit_text,
)

TEXT_MAX = 299
"""Longest text, in characters, so that it fits headers, a URL's query and a WebSocket's subprotocol."""

MAC_BYTES = 16
"""Of HMAC-SHA-256, cut: 128 bits (RFC 2104, section 5)."""

ID_BYTES = 8
TAG_BYTES = 4
"""Of the hash that stands for a permission's name: names do not fit, and places in a catalogue change with it."""

SUBJECT_BYTES_MAX = 100
"""Longest subject, in bytes of UTF-8."""

PARTS_MAX = 255
"""Most permissions or networks that a part can tell; the text is full long before."""

_VERSION = 1
_PERMISSIONS, _ALLOW, _LIMITS, _SUBJECT, _RESOURCES = 1, 2, 4, 8, 16
_HEAD = struct.Struct(f">BBII{ID_BYTES}s32s")


@dataclass(frozen=True, slots=True)
class Claims:
    """What one temporary secret says of itself. `id`: 8 random bytes. `digest`: SHA-256 of the secret that it was made
    from, 32 bytes. `issued_at`, `expires_at`: whole seconds since the epoch, by the database's clock. `tags`: of the
    permissions that it was narrowed to; `None` = all that its parent has. `networks`: those that it may be used from
    beside its parent's; `None` = anywhere. `limits`: of its own, beside its parent's. `subject`: whom it is for; `None`
    = for nobody in particular. `resources`: those that its permissions hold on, of its parent's; `None` = all."""

    id: bytes
    digest: bytes = field(repr=False)
    issued_at: int
    expires_at: int
    tags: frozenset[bytes] | None = None
    networks: Networks | None = None
    limits: Limits = NO_LIMITS
    subject: str | None = field(default=None, repr=False)
    resources: Resources | None = None

    @property
    def name(self) -> str:
        """The id as people and limits know it: 16 hexadecimal characters."""
        return self.id.hex()


@lru_cache(maxsize=4096)
def _tag(permission: str) -> bytes:
    return blake2b(permission.encode(), digest_size=TAG_BYTES, person=b"gatepost claims").digest()


def tags_of(permissions: Iterable[str]) -> frozenset[bytes]:
    """What stands for permissions in claims."""
    return frozenset(map(_tag, permissions))


class TemporaryFormat:
    """Makes and checks the texts of temporary secrets. `keys`: 32 bytes each, for nothing else; the first makes, all
    check. `prefix`: of secrets; that of these has a `t` more."""

    __slots__ = ("_begun", "head")

    def __init__(self, keys: Sequence[bytes], prefix: str) -> None:
        self.head = f"{prefix}t_".encode()
        """How their texts begin."""
        self._begun = [hmac.new(key, self.head, _sha256) for key in keys]  # keyed once

    def make(self, claims: Claims) -> str:
        """The text. Raises `BadInputError` where it would be too long, with what to leave out."""
        packed = _pack(claims)
        text = self.head + _encoded(packed + self._mac(self._begun[0], packed))
        if len(text) > TEXT_MAX:
            raise BadInputError(
                f"a temporary secret has at most {TEXT_MAX} characters, and this would have {len(text)}: name fewer "
                "permissions (none = all of what it is made from), networks, limits or resources, or a shorter subject"
            )
        return text.decode()

    def read(self, text: bytes) -> Claims | None:
        """The claims of a text that was made under one of the keys; `None` for any other. No I/O; some 8 µs, 0.1 µs
        for what begins otherwise."""
        if not text.startswith(self.head) or len(text) > TEXT_MAX:
            return None
        body = text[len(self.head) :]
        try:
            raw = base64.b64decode(body + b"=" * (-len(body) % 4), b"-_", validate=True)
        except ValueError:
            return None
        if _encoded(raw) != body:  # one secret has one text
            return None
        packed, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        if not any(hmac.compare_digest(mac, self._mac(begun, packed)) for begun in self._begun):
            return None
        return _unpacked(packed)

    @staticmethod
    def _mac(begun: hmac.HMAC, packed: bytes) -> bytes:
        mac = begun.copy()
        mac.update(packed)
        return mac.digest()[:MAC_BYTES]


def _sha256(data: bytes = b"") -> "hashlib._Hash":  # type: ignore[name-defined]  # noqa: F821
    """As in `gatepost.base.secret`: as a function of ours it spares OpenSSL's own HMAC (docs/decisions/0041)."""
    return sha256(data)


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _pack(claims: Claims) -> bytes:
    which, parts = 0, list[bytes]()
    if claims.tags is not None:
        which |= _PERMISSIONS
        parts.append(_counted(b"".join(sorted(claims.tags)), len(claims.tags)))
    if claims.networks is not None:
        which |= _ALLOW
        packed = [_packed_network(each) for each in claims.networks.texts]
        parts.append(_counted(b"".join(packed), len(packed)))
    if claims.limits:
        which |= _LIMITS
        told = " ".join(map(limit_text, claims.limits)).encode()
        parts.append(_counted(told, len(told)))
    if claims.subject is not None:
        which |= _SUBJECT
        told = claims.subject.encode()
        parts.append(_counted(told, len(told)))
    if claims.resources is not None:
        which |= _RESOURCES
        told = "\n".join(claims.resources).encode()  # no resource has a line's end
        parts.append(_counted(told, len(told)))
    return b"".join(
        (_HEAD.pack(_VERSION, which, claims.issued_at, claims.expires_at, claims.id, claims.digest), *parts)
    )


def _counted(told: bytes, number: int) -> bytes:
    """A part, behind how many it has. Raises `BadInputError`."""
    if number > PARTS_MAX:
        raise BadInputError(
            f"a temporary secret has no room for {number} permissions or networks, or bytes of limits or resources"
        )
    return bytes([number]) + told


def _packed_network(text: str) -> bytes:
    network = ip_network(text)
    return bytes([network.version, network.prefixlen]) + network.network_address.packed


def _unpacked(packed: bytes) -> Claims | None:
    """What was packed; `None` for what another version has packed otherwise."""
    try:
        version, which, issued_at, expires_at, name, digest = _HEAD.unpack_from(packed)
        if version != _VERSION or which >= _RESOURCES << 1:
            return None
        rest = _Rest(packed[_HEAD.size :])
        tags = frozenset(rest.take(TAG_BYTES) for _ in range(rest.number())) if which & _PERMISSIONS else None
        networks = _networks([rest.network() for _ in range(rest.number())]) if which & _ALLOW else None
        limits = _limits(rest.text()) if which & _LIMITS else NO_LIMITS
        subject = rest.text() if which & _SUBJECT else None
        resources = _resources(rest.text()) if which & _RESOURCES else None
        if rest.left:
            return None
        return Claims(name, digest, issued_at, expires_at, tags, networks, limits, subject, resources)
    except (struct.error, ValueError):
        return None


class _Rest:
    """What is not read yet."""

    def __init__(self, left: bytes) -> None:
        self.left = left

    def take(self, number: int) -> bytes:
        """The next bytes. Raises `ValueError` where there are fewer."""
        taken, self.left = self.left[:number], self.left[number:]
        if len(taken) < number:
            raise ValueError("the claims end too early")
        return taken

    def number(self) -> int:
        """How many there are of what follows."""
        return self.take(1)[0]

    def text(self) -> str:
        """A text behind its length."""
        return self.take(self.number()).decode()

    def network(self) -> str:
        """A network, in CIDR notation."""
        version, length = self.take(2)
        return str(ip_network((self.take(4 if version == 4 else 16), length)))  # noqa: PLR2004 - of IP


def _networks(texts: Sequence[str]) -> Networks:
    return Networks(checked_networks("allow", texts) or ())


def _resources(text: str) -> Resources:
    return checked_resources(text.split("\n") if text else ()) or ()


@lru_cache(maxsize=1024)
def _limits(text: str) -> Limits:
    return checked_limits([limit_of_text(word) for word in text.split(" ")])
