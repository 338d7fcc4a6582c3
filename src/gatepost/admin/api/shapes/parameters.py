"""What a call gives beside its body: queries and headers. Names and limits are the verbs'."""

import re
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.base import ID_CHARS, PROJECT_MAX
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


class ProjectPaging(Struct, forbid_unknown_fields=True):
    """Which page of the projects."""

    after: (
        Annotated[str, Meta(min_length=1, max_length=PROJECT_MAX, description="The `next` of the page before: a name.")]
        | UnsetType
    ) = UNSET
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX, description="Most items on the page.")] = 100


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
