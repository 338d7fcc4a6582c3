"""What a lookup of one digest found: a key as one of its secrets reaches it, or that there is none.

The tiers and the database speak of a record as a *row*: a flat list of plain values, so that neither needs to know
this class, and a row from Redis and one from the database are decoded by the same code, once, when they enter memory.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct
from sys import intern
from typing import TYPE_CHECKING, Any

import orjson
from starlette.authentication import AuthCredentials

from gatepost.base.limits import NO_LIMITS, Limits, readable_limits
from gatepost.base.metadata import metadata_of
from gatepost.base.models import APIKey
from gatepost.base.networks import Networks, networks_of
from gatepost.base.resources import Granted, Resources, granted_of

NEVER = math.inf
"""A moment, in seconds since the epoch, that never comes."""

_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""A float of the calendar's last microseconds rounds up to a year that datetime does not have."""

Row = Sequence[Any]
"""(id, project, description, permissions joined by spaces, active, created, updated, key expires, secret expires,
allow, limits, owner, environment, metadata, template, resources, resources by permission): moments are float seconds
since the epoch (UTC), `None` = never; `allow` is JSON of the networks that the key may be used from, `None` = anywhere;
`limits` is what `stored_limits` makes of its limits, `None` = none; `metadata` is JSON of an object, `None` = an empty
one; `template` is JSON, `None` = a plain key; `resources` is a JSON array, `None` = every one, and by permission an
object, `None` = empty."""


@dataclass(frozen=True)
class Credentials(AuthCredentials):
    """Starlette's credentials for a set of permissions. Shared by all keys that have the same set, so immutable: a
    request must not change another's permissions."""

    scopes: tuple[str, ...] = ()  # type: ignore[assignment]  # Starlette's is a list


@dataclass(frozen=True, init=False, repr=False)
class Record(APIKey):
    """A key as one secret reaches it, ready for a request. About 340 bytes in memory, with its digest and all
    that it holds. `permissions` has those that hold on every resource, and is a `Granted` where others do on some.

    `auth`: Starlette's credentials. `as_of`: the seq that the database stood at when this was read. `usable_until`:
    seconds since the epoch by the database's clock until when a memory hit lets a request in that shows the secret,
    with nothing else to be asked: `ends_at`, or -inf where each request must be looked at (`BoundedRecord`). `until`:
    the moment, on this process's boot clock, from which on memory must not answer with it.

    A process may hold a million. So what no request needs to be let in is kept in one bytes object, and read out of it
    where somebody asks: id, description and dates, and where there are any owner, environment and metadata. Each of
    them as an object of its own would weigh some fifty bytes more than its content.
    """

    __slots__ = ("_content", "as_of", "auth", "permissions", "project", "until", "usable_until")

    auth: Credentials
    as_of: int
    usable_until: float
    until: float
    if TYPE_CHECKING:  # annotated for the dataclass too, they would be fields of it
        _content: bytes

    def __init__(self, row: Row, as_of: int, until: float) -> None:
        key_id, project, description, names, active, created, updated, key_expires, secret_expires, *rest = row
        permissions, auth = _permission_set(names, rest[6], rest[7])
        content = _packed(key_id, description, created, updated, key_expires)
        _set_content(self, content if rest[2:5] == _NOTHING_TOLD else _with_tail(content, *rest[2:5]))
        _set_project(self, None if project is None else intern(project))
        _set_permissions(self, permissions)
        _set_auth(self, auth)
        _set_as_of(self, _same(as_of))
        _set_usable_until(self, _usable_until(active, key_expires, secret_expires))
        _set_until(self, until)

    def __setstate__(self, state: tuple[None, Mapping[str, Any]]) -> None:
        """What copy and pickle call: their own way is to set attributes, and the class is frozen."""
        for name, value in state[1].items():
            object.__setattr__(self, name, value)

    @property  # type: ignore[misc]  # for mypy only a plain attribute may stand for one
    def id(self) -> str:
        """See `APIKey`."""
        content = self._content
        begin = _BEGINS[content[0]]
        return content[begin : begin + content[1]].decode()

    @property  # type: ignore[misc]
    def description(self) -> str:
        """See `APIKey`."""
        content = self._content
        end = len(content) - sum(_tail(content)) - _LENGTHS.size if content[0] & _HAS_TAIL else None
        return content[_BEGINS[content[0]] + content[1] : end].decode()

    @property  # type: ignore[misc]
    def owner(self) -> str | None:
        """See `APIKey`."""
        return _names(self._content)[0]

    @property  # type: ignore[misc]
    def environment(self) -> str | None:
        """See `APIKey`."""
        return _names(self._content)[1]

    @property  # type: ignore[misc]
    def metadata(self) -> Mapping[str, Any]:
        """See `APIKey`."""
        content = self._content
        if not content[0] & _HAS_TAIL:
            return {}
        end = len(content) - _LENGTHS.size
        return metadata_of(content[end - _tail(content)[1] : end])

    @property
    def granted(self) -> frozenset[str]:
        """See `APIKey`."""
        return self.permissions

    @property  # type: ignore[misc]
    def resources(self) -> Resources | None:
        """See `APIKey`."""
        return self.permissions.resources if isinstance(self.permissions, Granted) else None

    @property  # type: ignore[misc]
    def role_resources(self) -> Mapping[str, Resources]:
        """Empty: `permissions` tells what is limited, and to what."""
        return {}

    @property  # type: ignore[misc]
    def active(self) -> bool:
        """See `APIKey`."""
        return self.ends_at != -NEVER

    @property  # type: ignore[misc]
    def created_at(self) -> datetime:
        """See `APIKey`."""
        return _moment(self._content, 0)

    @property  # type: ignore[misc]
    def updated_at(self) -> datetime:
        """See `APIKey`."""
        return _moment(self._content, min(1, (self._content[0] & ~_HAS_TAIL) - 1))

    @property  # type: ignore[misc]
    def expires_at(self) -> datetime | None:
        """See `APIKey`."""
        return _moment(self._content, _EXPIRY) if self._content[0] & ~_HAS_TAIL > _EXPIRY else None

    @property
    def ends_at(self) -> float:
        """Seconds since the epoch by the database's clock from which on the secret is refused: the earlier expiry of
        key and secret, -inf for a deactivated key, inf for never."""
        return self.usable_until


_set_content, _set_as_of, _set_auth, _set_permissions, _set_project, _set_until, _set_usable_until = (
    vars(Record)[name].__set__ for name in Record.__slots__
)
"""How a record is filled, though it is frozen: half the time of `object.__setattr__`, and one is made at each miss."""


@dataclass(frozen=True, init=False, repr=False)
class BoundedRecord(Record):
    """A key that has bounds, which each request is held against: a memory hit alone never lets one in, so its
    `usable_until` is -inf. Other keys are plain records, and cost neither the memory nor the look.

    `networks`: where it may be used from; `None` = anywhere. `judged`: the addresses that were asked about before, and
    whether they are in them: for who must be quick, `admits` for all others; `None` = there are no networks.
    """

    __slots__ = ("ends_at", "judged", "networks")

    if TYPE_CHECKING:  # annotated for the dataclass too, they would be compared
        ends_at: float
        judged: Mapping[str | None, bool] | None
        networks: Networks | None

    def __init__(self, row: Row, as_of: int, until: float) -> None:
        super().__init__(row, as_of, until)
        allow = row[_ALLOW]
        networks = None if allow is None else networks_of(allow)
        _set_networks(self, networks)
        _set_judged(self, None if networks is None else networks.judged)
        _set_ends_at(self, self.usable_until)
        _set_usable_until(self, -NEVER)

    @property  # type: ignore[misc]
    def allow(self) -> tuple[str, ...] | None:
        """See `APIKey`."""
        return None if self.networks is None else self.networks.texts

    def admits(self, address: str | None) -> bool:
        """Whether a request from that address may be let in; `None` = nobody knows where it is from."""
        return self.networks is None or address in self.networks


_set_ends_at, _set_judged, _set_networks = (vars(BoundedRecord)[name].__set__ for name in BoundedRecord.__slots__)


@dataclass(frozen=True, init=False, repr=False)
class LimitedRecord(BoundedRecord):
    """A key that has limits. `limits`: empty where they cannot be read, so it cannot be used. `asked`: what who counts
    makes of them, the first time; `None` = nobody has asked yet."""

    __slots__ = ("asked", "limits")

    if TYPE_CHECKING:  # annotated for the dataclass too, they would be compared
        asked: Any
        limits: Limits

    def __init__(self, row: Row, as_of: int, until: float) -> None:
        super().__init__(row, as_of, until)
        _set_limits(self, readable_limits(row[_LIMITS]))
        _set_asked(self, None)

    def remember_asked(self, asked: Any) -> None:
        """Keep it for the next request."""
        _set_asked(self, asked)


_set_asked, _set_limits = (vars(LimitedRecord)[name].__set__ for name in LimitedRecord.__slots__)


@dataclass(frozen=True, init=False, repr=False)
class TemplateRecord(BoundedRecord):
    """A template of temporary secrets, by the digest of a secret that nobody has. No memory hit has it. `template`:
    JSON. `limits`: empty where there are none; `asked`: as for `LimitedRecord`."""

    __slots__ = ("asked", "limits", "template")

    def __init__(self, row: Row, as_of: int, until: float) -> None:
        super().__init__(row, as_of, until)
        object.__setattr__(self, "template", row[_TEMPLATE])
        object.__setattr__(self, "limits", NO_LIMITS if row[_LIMITS] is None else readable_limits(row[_LIMITS]))
        object.__setattr__(self, "asked", None)


@dataclass(frozen=True, init=False, repr=False)
class OutsideRecord(BoundedRecord):
    """A key of another environment than this process is of: no request here is let in with it. No memory hit has it:
    those ask for the other classes."""

    __slots__ = ()


_ALLOW = 9
_LIMITS = 10
_ENVIRONMENT = 12
_TEMPLATE = 14
"""The places of networks, limits, environment and template in a row."""


@dataclass(frozen=True, slots=True)
class Absent:
    """No key has the digest that was asked for, as of the seq `as_of`. `until`: as for `Record`."""

    as_of: int
    until: float


Found = Record | Absent


def decode(row: Row | None, as_of: int, until: float, environment: str | None = None) -> Found:
    """The record that a row from a tier or the database tells of; `None` = there is no such key. `environment`: that
    of the process; `None` = of none, so every key may be used."""
    if row is None:
        return Absent(as_of, until)
    if environment is not None and row[_ENVIRONMENT] not in (None, environment):
        return OutsideRecord(row, as_of, until)
    if row[_TEMPLATE] is not None:
        return TemplateRecord(row, as_of, until)
    limits = NO_LIMITS if row[_LIMITS] is None else readable_limits(row[_LIMITS])
    if limits or limits.resets < 0:
        return LimitedRecord(row, as_of, until)
    return Record(row, as_of, until) if row[_ALLOW] is None else BoundedRecord(row, as_of, until)


def to_payload(row: Row | None, as_of: int) -> bytes:
    """What Redis is to hold of a digest, as short as it can be told: JSON of the seq, and of the row if there is one.
    `updated` is null in it where the key is as it was created, and nulls at the end are left out."""
    if row is None:
        return orjson.dumps([as_of])
    head, created, updated, rest = row[:_CREATED], row[_CREATED], row[_CREATED + 1], row[_CREATED + 2 :]
    told = [as_of, *head, created, None if updated == created else updated, *rest]
    while told[-1] is None:
        del told[-1]
    return orjson.dumps(told)


def from_payload(payload: bytes) -> tuple[Row | None, int]:
    """The row and the seq that `to_payload` was given."""
    told = orjson.loads(payload)
    length = len(told)
    if length == 1:
        return None, told[0]
    if not _LEAST <= length <= _MOST:
        raise ValueError("this is not a payload: it tells too little, or too much")
    told += _NULLS[length:]
    as_of = told.pop(0)
    if told[_CREATED + 1] is None:
        told[_CREATED + 1] = told[_CREATED]
    return tuple(told), as_of


_CREATED = 5
"""The place of that moment in a row."""

_LEAST, _MOST = 7, 18
"""Values of a payload with a key: up to `created`, and all."""

_NULLS = (None,) * _MOST


def _usable_until(active: bool, key_expires: float | None, secret_expires: float | None) -> float:
    if not active:
        return -NEVER
    if key_expires is None:
        return NEVER if secret_expires is None else secret_expires
    return key_expires if secret_expires is None else min(key_expires, secret_expires)


_EXPIRY = 2
"""The place of the expiry among the moments of a record."""

_FIRST_MOMENT, _MOMENT_BYTES = 2, 8

_HAS_TAIL = 4
"""A bit beside the number of moments: behind the description come owner and environment (a JSON array), the metadata,
and how long each of these is."""

_BEGINS = [_FIRST_MOMENT + _MOMENT_BYTES * (first & ~_HAS_TAIL) for first in range(2 * _HAS_TAIL)]
"""Where the id begins, by the first byte."""

_LENGTHS = Struct("<II")
_NOTHING_TOLD = [None, None, None]

_HEADS = [Struct(f"<BB{number}d").pack for number in range(_EXPIRY + 2)]
_SECONDS = Struct("<d").unpack_from


def _packed(key_id: str, description: str, created: float, updated: float, expires: float | None) -> bytes:
    """How many moments there are, how long the id is, the moments (created; updated, if it was; expiry, if there is
    one), the id, the description."""
    name = key_id.encode()
    if expires is not None:
        head = _HEADS[3](3, len(name), created, updated, expires)
    elif updated != created:
        head = _HEADS[2](2, len(name), created, updated)
    else:
        head = _HEADS[1](1, len(name), created)
    return head + name + description.encode()


def _with_tail(content: bytes, owner: str | None, environment: str | None, metadata: str | None) -> bytes:
    names = orjson.dumps([owner, environment])
    noted = (metadata or "").encode()
    return b"".join((bytes([content[0] | _HAS_TAIL]), content[1:], names, noted, _LENGTHS.pack(len(names), len(noted))))


def _tail(content: bytes) -> tuple[int, int]:
    """How long names and metadata are."""
    names, noted = _LENGTHS.unpack_from(content, len(content) - _LENGTHS.size)
    return names, noted


def _names(content: bytes) -> Sequence[str | None]:
    """Owner and environment."""
    if not content[0] & _HAS_TAIL:
        return _NOTHING_TOLD
    names, noted = _tail(content)
    end = len(content) - _LENGTHS.size - noted
    found: list[str | None] = orjson.loads(content[end - names : end])
    return found


def _moment(content: bytes, place: int) -> datetime:
    (seconds,) = _SECONDS(content, _FIRST_MOMENT + _MOMENT_BYTES * place)
    return datetime.fromtimestamp(min(seconds, _LATEST), UTC)


@lru_cache(maxsize=4096)
def _permission_set(names: str, resources: str | None, by_roles: str | None) -> tuple[frozenset[str], Credentials]:
    """Keys with the same permissions share one set and one credentials object: most of an app's keys do."""
    held = granted_of(names, resources, by_roles)
    return held, Credentials(tuple(name for name in names.split() if name in held))


@lru_cache(maxsize=1024)
def _same(seq: int) -> int:
    """The object that other records hold for this seq, as `intern` gives it for a text: payloads bring one each."""
    return seq
