"""Which keys, events and usage a call is about, as queries say it, and bodies. Names and limits are the verbs'."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from gatepost.admin.api.shapes.parameters import Paging, PermissionName, RoleName, given
from gatepost.base import (
    ACTOR_ID_MAX,
    DESCRIPTION_MAX,
    EXPIRES_WITHIN_MAX,
    EXPIRING_SECONDS,
    OWNER_MAX,
    PROJECT_MAX,
    BadInputError,
    Environment,
    EventKind,
    metadata_of_json,
)
from gatepost.keys import Order
from gatepost.rules import PAGE_MAX

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


_Members = (
    "Keys that have each of these members, at most 10, with just that value: equal as they are stored, so 3 is not 3.0"
)
_KeyMetadata = Annotated[
    str,
    Meta(
        description=f"A JSON object, as text, no name twice. {_Members}.",
        examples=['{"plan": "pro"}'],
        extra_json_schema={"contentMediaType": "application/json"},
    ),
]
WantedMetadata = Annotated[
    Raw,
    Meta(
        description=f"{_Members}. No name twice.",
        extra_json_schema={"type": "object", "minProperties": 1, "examples": [{"plan": "pro"}]},
    ),
]


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


class Counting(Choosing, forbid_unknown_fields=True):
    """Which keys, as a query says it."""

    metadata: _KeyMetadata | UnsetType = UNSET


class KeyFilter(Counting, forbid_unknown_fields=True):
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
        """The arguments of the verb. Raises `BadInputError` for a moment that no calendar has, and for what is no JSON
        object."""
        return {name: _moment(name, value) if name in _MOMENTS else value for name, value in chosen(self).items()}


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
        """The arguments of the verb. Raises `BadInputError`."""
        return {**chosen(self), "by": self.by.split(",")}


class ManyUsageFilter(UsageFilter, forbid_unknown_fields=True):
    """Which usage, and of which keys."""

    owner: _KeyOwner | UnsetType = UNSET
    environment: _KeyEnvironment | UnsetType = UNSET
    metadata: _KeyMetadata | UnsetType = UNSET


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
    metadata: (
        Annotated[
            str,
            Meta(
                description="A JSON object, as text, no name twice. To keys that there are now, and that have each of "
                "these members now, at most 10, with just that value.",
                examples=['{"plan": "pro"}'],
                extra_json_schema={"contentMediaType": "application/json"},
            ),
        ]
        | UnsetType
    ) = UNSET


def chosen(struct: Struct) -> dict[str, Any]:
    """As `given`, with what was said of metadata as an object. Raises `BadInputError`, also for a name that stands
    twice."""
    members = given(struct)
    if "metadata" in members:
        text = members["metadata"]
        members["metadata"] = metadata_of_json(text if isinstance(text, str) else bytes(text))
    return members


def _moment(name: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as wrong:
        raise BadInputError(f"query: {name}: {wrong}", name) from None
