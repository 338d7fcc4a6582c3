"""What a call gives in its body. Names and limits are the verbs'."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from gatepost.admin.api.shapes.filters import Choosing, WantedMetadata, chosen
from gatepost.admin.api.shapes.limits import KeyLimits, limits_given
from gatepost.admin.api.shapes.parameters import KeyId, PermissionName, RoleName
from gatepost.base import (
    DESCRIPTION_MAX,
    NETWORKS_MAX,
    OWNER_MAX,
    PROJECT_MAX,
    RESOURCE_MAX,
    RESOURCES_MAX,
    Environment,
)
from gatepost.keys import GRACE_MAX, Selection
from gatepost.rules import KEY_ROLES_MAX

NETWORK_CHARS_MAX = 50
"""Characters of a network: IPv6 with an IPv4 address at its end has 45, and a length."""

IDS_MAX = 10_000
"""Most keys in one call: one transaction, of some seconds."""

_Description = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=DESCRIPTION_MAX,
        description="For people: one line of text. Spaces of all kinds become ordinary ones.",
    ),
]
_Permissions = Annotated[list[PermissionName], Meta(description="What the key may do, beside what its roles give it.")]
_Roles = Annotated[
    list[RoleName],
    Meta(max_length=KEY_ROLES_MAX, description="The roles that the key holds beside its own permissions."),
]
_Network = Annotated[
    str,
    Meta(
        max_length=NETWORK_CHARS_MAX,
        description="A network, IPv4 or IPv6, in CIDR notation with no bits set beyond its length; or an address.",
        examples=["203.0.113.0/24", "2001:db8::/32", "203.0.113.9"],
    ),
]
_Networks = Annotated[
    list[_Network],
    Meta(
        max_length=NETWORKS_MAX,
        description="The networks that the key may be used from; null: anywhere, empty: nowhere.",
    ),
]
Resources = Annotated[
    list[
        Annotated[
            str,
            Meta(
                max_length=RESOURCE_MAX,
                description="A kind, a colon and a name, as it is compared; `/*` at its end is all that is below.",
                examples=["collection:spring", "dir:/campaigns/*"],
            ),
        ]
    ],
    Meta(max_length=RESOURCES_MAX, description="What the permissions hold on; null: everything, empty: nothing."),
]
_Owner = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=OWNER_MAX,
        description="Who answers for the key: a name of the app's own; null: nobody is named.",
    ),
]
_Metadata = Annotated[
    Raw,
    Meta(
        description="What the app wants to know of the key: at most 4,096 bytes of JSON in UTF-8, without blanks and "
        "with nothing escaped that need not be; 8 deep, whole numbers of 53 bits, no name twice. Empty: nothing.",
        extra_json_schema={"type": "object", "examples": [{"plan": "pro"}]},
    ),
]
_Environment = Annotated[
    Environment,
    Meta(description="What the key is for, as its secrets say; null: either. Left out: the caller's, or the server's."),
]
_Expiry = Annotated[datetime, Meta(tz=True, description="When the key ends, in the future (RFC 3339); null: never.")]


class NewKey(Struct, forbid_unknown_fields=True):
    """A key to be made."""

    description: _Description
    permissions: _Permissions | UnsetType = UNSET
    roles: _Roles | UnsetType = UNSET
    project: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=PROJECT_MAX,
                description="The project that the key belongs to; null: every one. Left out: the caller's own.",
            ),
        ]
        | UnsetType
        | None
    ) = UNSET
    expires_at: _Expiry | UnsetType | None = UNSET
    active: Annotated[bool, Meta(description="Whether it is switched on.")] = True
    allow: _Networks | UnsetType | None = UNSET
    limits: KeyLimits | UnsetType = UNSET
    owner: _Owner | UnsetType | None = UNSET
    environment: _Environment | UnsetType | None = UNSET
    metadata: _Metadata | UnsetType = UNSET
    resources: Resources | UnsetType | None = UNSET


class KeyChanges(Struct, forbid_unknown_fields=True):
    """What shall be different about a key: at least one member. What is left out stays."""

    description: _Description | UnsetType = UNSET
    permissions: _Permissions | UnsetType = UNSET
    roles: _Roles | UnsetType = UNSET
    expires_at: _Expiry | UnsetType | None = UNSET
    allow: _Networks | UnsetType | None = UNSET
    limits: KeyLimits | UnsetType = UNSET
    owner: _Owner | UnsetType | None = UNSET
    metadata: _Metadata | UnsetType = UNSET
    resources: Resources | UnsetType | None = UNSET


class Rotation(Struct, forbid_unknown_fields=True):
    """How a key gets a new secret."""

    grace: Annotated[
        float, Meta(ge=0, le=GRACE_MAX, description="Seconds that the secret before goes on working; 0: none.")
    ]


class KeyIds(Struct, forbid_unknown_fields=True):
    """Keys to be changed together."""

    ids: Annotated[
        list[Annotated[str, Meta(max_length=100, description="A key's id; another text is told as unknown.")]],
        Meta(min_length=1, max_length=IDS_MAX),
    ]


class KeySelection(Choosing, forbid_unknown_fields=True):
    """Keys that fit all that is said: at least one member beside `active`, `state`, `expires_within` and
    `templates`."""

    templates: Annotated[
        bool,
        Meta(description="True: templates of temporary secrets alone. False: plain keys alone; with `made_by` both."),
    ] = False
    made_by: Annotated[KeyId, Meta(description="Keys that this one made, that these made, and so on.")] | UnsetType = (
        UNSET
    )
    metadata: WantedMetadata | UnsetType = UNSET

    @property
    def selection(self) -> Selection:
        """What the verbs take. Raises `BadInputError`."""
        return Selection(**chosen(self), most=IDS_MAX)


class SelectedKeys(Struct, forbid_unknown_fields=True):
    """Keys to be changed together, by what they are. With `preview` nothing is changed: the answer tells what would be
    done to each."""

    selection: KeySelection
    preview: bool = False


class SelectedChanges(Struct, forbid_unknown_fields=True):
    """What shall be different about keys, and which ones. With `preview` nothing is changed: the answer tells what
    would be done to each."""

    selection: KeySelection
    changes: KeyChanges
    preview: bool = False


def arguments_of(body: Struct) -> dict[str, Any]:
    """The members of a body that were given, as the verbs take them. Raises `BadInputError`."""
    return limits_given(chosen(body))
