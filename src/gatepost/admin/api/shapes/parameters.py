"""What a call gives beside its body: queries and headers. Names and limits are the verbs'."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.base import (
    ACTOR_ID_MAX,
    DESCRIPTION_MAX,
    EXPIRES_WITHIN_MAX,
    EXPIRING_SECONDS,
    ID_CHARS,
    OWNER_MAX,
    PROJECT_MAX,
    BadInputError,
    Environment,
    EventKind,
)
from gatepost.keys import Order
from gatepost.rules import IDEMPOTENCY_KEY_MAX, IDEMPOTENCY_KEY_MIN, NAME_MAX, PAGE_MAX, ROLE_NAME_MAX

TIMEOUT_MAX = 300
"""Seconds that a call may ask to be kept waiting: proxies in between end most connections long before."""

TIMEOUT_DEFAULT = 30.0
"""Seconds: three times the staleness that keys may have unless told otherwise, by when every change holds."""

_TAG = r'(W/)?"[!#-~]*"'
"""An entity tag (RFC 9110, section 8.8.3), in ASCII."""

_TAGS = re.compile(rf"\*|{_TAG}([ \t]*,[ \t]*{_TAG})*")

KeyId = Annotated[
    str,
    Meta(
        min_length=ID_CHARS,
        max_length=ID_CHARS,
        pattern=rf"^[0-9A-Za-z]{{{ID_CHARS}}}$",
        description="A key's id: base62 characters, the second part of its secrets.",
    ),
]
PermissionName = Annotated[
    str,
    Meta(
        max_length=NAME_MAX,
        description="A permission.",
        extra_json_schema={"$ref": "#/components/schemas/PermissionName"},
    ),
]

RoleName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=ROLE_NAME_MAX,
        pattern=r"^[0-9A-Za-z][0-9A-Za-z._:-]*$",
        description="A role's name: ASCII letters, digits, and . _ : -",
        examples=["editor"],
    ),
]

_Force = Annotated[bool, Meta(description="Do it although it weakens the key that this call uses.")]
_Wait = Annotated[
    Literal["everywhere", "commit"],
    Meta(
        description="What to wait for: that every worker acts on the change, or only that it is committed. Left out: "
        "`commit` for switching keys on, else `everywhere`."
    ),
]
_Timeout = Annotated[
    float,
    Meta(
        ge=0,
        le=TIMEOUT_MAX,
        description="Seconds after which the answer comes all the same, with 202: the change is committed then, and "
        "`propagation` tells by when it holds everywhere.",
    ),
]


_MOMENTS = ("since", "until")
_Moment = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$",
        description="A moment with a zone, by the database's clock: `since` it, and before `until`.",
        extra_json_schema={"format": "date-time"},
    ),
]
"""Text, since msgspec would take a number in a query for seconds since the epoch."""


class Nothing(Struct, forbid_unknown_fields=True):
    """No parameters."""


class Waiting(Struct, forbid_unknown_fields=True):
    """How long to wait for a change."""

    wait: _Wait | UnsetType = UNSET
    timeout: _Timeout = TIMEOUT_DEFAULT


class Forcing(Waiting, forbid_unknown_fields=True):
    """How long to wait for a change that may weaken the caller's own key."""

    force: _Force = False


class Paging(Struct, forbid_unknown_fields=True):
    """Which page of a list."""

    after: Annotated[str, Meta(description="The `next` of the page before.")] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX, description="Most items on the page.")] = 50


_Project = Annotated[str, Meta(min_length=1, max_length=PROJECT_MAX, description="Keys of this project.")]
_Search = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=DESCRIPTION_MAX,
        description="Words, each of which begins a word of the description, or the id; or a secret as its `hint` tells "
        "it, its start, or its last four characters, in their own case.",
    ),
]


_KeyOwner = Annotated[str, Meta(min_length=1, max_length=OWNER_MAX, description="Keys of this owner.")]
_KeyEnvironment = Annotated[Environment, Meta(description="Keys for this environment.")]


class Choosing(Struct, forbid_unknown_fields=True):
    """Which keys: those that fit all that is said."""

    owner: _KeyOwner | UnsetType = UNSET
    environment: _KeyEnvironment | UnsetType = UNSET
    project: _Project | UnsetType = UNSET
    company_wide: Annotated[bool, Meta(description="Keys of no project.")] = False
    active: (
        Annotated[bool, Meta(description="Keys in the state `active`, or `deactivated`. Not together with `state`.")]
        | UnsetType
    ) = UNSET
    state: (
        Annotated[
            Literal["active", "expiring", "expired", "deactivated"],
            Meta(
                description="`active`: they work now. `expiring`: of these, they end within `expires_within`. "
                "`expired`: their time is over. `deactivated`: they are switched off."
            ),
        ]
        | UnsetType
    ) = UNSET
    permission: PermissionName | UnsetType = UNSET
    no_permissions: Annotated[bool, Meta(description="Keys that may do nothing.")] = False
    search: _Search | UnsetType = UNSET
    expires_before: (
        Annotated[datetime, Meta(tz=True, description="Keys that end before this moment (RFC 3339), or have.")]
        | UnsetType
    ) = UNSET
    never_expires: Annotated[bool, Meta(description="Keys without an expiry.")] = False
    expires_within: Annotated[
        float,
        Meta(
            ge=0,
            le=EXPIRES_WITHIN_MAX,
            description="Seconds before its expiry from which on a key is `expiring`.",
        ),
    ] = EXPIRING_SECONDS
    unused_for: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=EXPIRES_WITHIN_MAX,
                description="Keys that nobody has used for so many seconds, and that are at least as old.",
            ),
        ]
        | UnsetType
    ) = UNSET
    never_used: Annotated[bool, Meta(description="Keys that nobody has used, as far as was counted.")] = False
    role: Annotated[RoleName, Meta(description="Keys that hold this role.")] | UnsetType = UNSET


class KeyFilter(Choosing, forbid_unknown_fields=True):
    """Which keys, in which order, and which page of them."""

    sort: Annotated[
        Order,
        Meta(
            description="The order; `-`: descending. What never expires does so after everything else; what was never "
            "used was so before everything else."
        ),
    ] = "-created"
    after: Annotated[str, Meta(description="The `next` of the page before.")] | UnsetType = UNSET
    before: (
        Annotated[str, Meta(description="The `previous` of the page behind. Not together with `after`.")] | UnsetType
    ) = UNSET
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX, description="Most items on the page.")] = 50


class ProjectPaging(Struct, forbid_unknown_fields=True):
    """Which page of the projects."""

    after: (
        Annotated[str, Meta(min_length=1, max_length=PROJECT_MAX, description="The `next` of the page before: a name.")]
        | UnsetType
    ) = UNSET
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX, description="Most items on the page.")] = 100


class KeyEventFilter(Paging, forbid_unknown_fields=True):
    """Which events of a key."""

    kind: Annotated[EventKind, Meta(description="What was done so.")] | UnsetType = UNSET
    by_kind: (
        Annotated[
            Literal["person", "operator", "key", "shell", "database"],
            Meta(description="By such a one: `person`: somebody whom the host app knows; `operator`: its own code."),
        ]
        | UnsetType
    ) = UNSET
    by_id: (
        Annotated[
            str,
            Meta(min_length=1, max_length=ACTOR_ID_MAX, description="By whoever has this `actor_id`: a key's id, say."),
        ]
        | UnsetType
    ) = UNSET
    since: _Moment | UnsetType = UNSET
    until: _Moment | UnsetType = UNSET

    @property
    def choice(self) -> Mapping[str, Any]:
        """The arguments of the verb. Raises `BadInputError` for a moment that no calendar has."""
        return {name: _moment(name, value) if name in _MOMENTS else value for name, value in given(self).items()}


class UsageFilter(Struct, forbid_unknown_fields=True):
    """Which usage of a key."""

    by: Annotated[
        Literal[
            "day",
            "route",
            "outcome",
            "secret",
            "day,outcome",
            "day,route",
            "day,secret",
            "route,outcome",
            "secret,outcome",
            "day,route,outcome,secret",
        ],
        Meta(description="What to tell apart."),
    ] = "day"
    since: Annotated[date, Meta(description="From that day on, in UTC.")] | UnsetType = UNSET
    until: Annotated[date, Meta(description="Before that day.")] | UnsetType = UNSET

    @property
    def choice(self) -> Mapping[str, Any]:
        """The arguments of the verb."""
        return {**given(self), "by": self.by.split(",")}


class ManyUsageFilter(UsageFilter, forbid_unknown_fields=True):
    """Which usage, and of which keys."""

    owner: _KeyOwner | UnsetType = UNSET
    environment: _KeyEnvironment | UnsetType = UNSET


class EventFilter(KeyEventFilter, forbid_unknown_fields=True):
    """Which events."""

    project: (
        Annotated[str, Meta(min_length=1, max_length=PROJECT_MAX, description="To keys of this project.")] | UnsetType
    ) = UNSET
    owner: (
        Annotated[
            str, Meta(min_length=1, max_length=OWNER_MAX, description="To keys that were of this owner before it.")
        ]
        | UnsetType
    ) = UNSET
    environment: Annotated[Environment, Meta(description="To keys for this environment.")] | UnsetType = UNSET


class Idempotency(Struct, rename={"idempotency_key": "Idempotency-Key"}):
    """Makes a repeated call harmless."""

    idempotency_key: (
        Annotated[
            str,
            Meta(
                min_length=IDEMPOTENCY_KEY_MIN,
                max_length=IDEMPOTENCY_KEY_MAX,
                pattern=r"^[!-~][ -~]*[!-~]$",
                description="A random text of the caller's, such as a UUID: the same call with the same one answers "
                "the same key and secret again, and makes no second key.",
            ),
        ]
        | UnsetType
    ) = UNSET


class IfMatch(Struct, rename={"if_match": "If-Match"}):
    """Changes a key only if it is what the caller takes it for."""

    if_match: (
        Annotated[
            str,
            Meta(
                pattern=rf"^(\*|{_TAG})$",
                description="One entity tag, as `ETag` told it, or `*` for whatever the key is. Weak ones never match.",
                examples=["*"],
            ),
        ]
        | UnsetType
    ) = UNSET

    @property
    def version(self) -> str | None:
        """What the verbs take as `if_version`: `None` = whatever it is. The text of a weak tag is no key's version."""
        if isinstance(self.if_match, UnsetType) or self.if_match == "*":
            return None
        return self.if_match.strip('"')


class IfNoneMatch(Struct, rename={"if_none_match": "If-None-Match"}):
    """Reads a key only if it is not what the caller takes it for."""

    if_none_match: (
        Annotated[
            str,
            Meta(
                description="Entity tags, as `ETag` told them, or `*`: where the key has one of them, 304. What is "
                "neither is ignored.",
            ),
        ]
        | UnsetType
    ) = UNSET

    def matches(self, tag: str) -> bool:
        """Whether the caller has what this entity tag stands for (weak comparison, RFC 9110, section 13.1.2). What is
        malformed is as if it were not there."""
        if isinstance(self.if_none_match, UnsetType) or not _TAGS.fullmatch(self.if_none_match):
            return False
        return self.if_none_match == "*" or tag in self.if_none_match


def given(struct: Struct) -> dict[str, Any]:
    """The members that the caller gave, or that have a default, as keyword arguments of a verb."""
    values = ((name, getattr(struct, name)) for name in struct.__struct_fields__)
    return {name: value for name, value in values if value is not UNSET}


def _moment(name: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as wrong:
        raise BadInputError(f"query: {name}: {wrong}", name) from None
