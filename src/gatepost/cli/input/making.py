"""What commands take that make or edit a key or a template: what it may do, until when, from where, how much, and whose
it is."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any

from typer import Option

from gatepost.base import LIMIT_EXAMPLES, BadInputError, Environment, limit_of_text, metadata_of_json
from gatepost.cli.input.arguments import parse_when, split_names
from gatepost.cli.input.options import complete_permission
from gatepost.rules import UNSET, Unset

Permissions = Annotated[
    list[str] | None,
    Option(
        "--permission",
        "-p",
        metavar="NAME",
        help="What its bearer may do; repeat it, or put commas between.",
        autocompletion=complete_permission,
    ),
]
Roles = Annotated[
    list[str] | None,
    Option(
        "--role",
        metavar="NAME",
        help="A role that it holds; repeat it, or put commas between. --role '' is none.",
    ),
]
Expires = Annotated[
    str | None,
    Option("--expires", metavar="WHEN", help="90d, 12h, 2030-01-31, 2030-01-31T18:00Z; UTC where no zone is named."),
]
Allow = Annotated[
    list[str] | None,
    Option(
        "--allow",
        metavar="NETWORK",
        help="A network that it may be used from, 203.0.113.0/24 or 2001:db8::/32, or an address; repeat it, or put "
        "commas between. --allow '' is nowhere.",
    ),
]
Resources = Annotated[
    list[str] | None,
    Option(
        "--resource",
        metavar="RESOURCE",
        help="What its permissions hold on: collection:spring, or with all that is below dir:/campaigns/*; repeat it. "
        "--resource '' is nothing.",
    ),
]
EveryResource = Annotated[bool, Option("--every-resource", help="Let its permissions hold on everything.")]


def resources_given(resource: list[str] | None, every: bool = False) -> list[str] | Unset | None:
    """What is asked of resources: those named, all (`None`), or as it is. Raises `BadInputError`."""
    if resource and every:
        raise BadInputError("--resource and --every-resource exclude each other")
    return [each for each in resource if each] if resource else None if every else UNSET


Limits = Annotated[
    list[str] | None,
    Option(
        "--limit",
        metavar="LIMIT",
        help=f"How much it may be used: {LIMIT_EXAMPLES}; repeat it, or put commas between. --limit '' is as much "
        "as it likes.",
    ),
]
Owner = Annotated[
    str | None,
    Option("--owner", metavar="NAME", help="Who answers for it: a person, team or service. --owner '' is nobody."),
]
Metadata = Annotated[
    str | None,
    Option(
        "--metadata",
        metavar="JSON",
        help="What the app wants to know of it: a JSON object of at most 4 KB. --metadata '{}' is nothing.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Making:
    """What a new key or template is, beside its description."""

    permission: Permissions = None
    role: Roles = None
    project: Annotated[str | None, Option("--project", metavar="NAME", help="Default: every project.")] = None
    expires: Expires = None
    allow: Allow = None
    limit: Limits = None
    owner: Owner = None
    environment: Annotated[
        Environment | None,
        Option("--environment", metavar="NAME", help="What it is for, as its secret says: live, or test."),
    ] = None
    metadata: Metadata = None
    resource: Resources = None
    inactive: Annotated[bool, Option("--inactive", help="Switched off, until it is activated.")] = False

    def arguments(self) -> dict[str, Any]:
        """The arguments of `create` that these options stand for. Raises `BadInputError`."""
        return {
            "permissions": split_names(self.permission or ()),
            "roles": split_names(self.role or ()),
            "project": self.project,
            "expires_at": None if self.expires is None else parse_when("--expires", self.expires, datetime.now(UTC)),
            "active": not self.inactive,
            "allow": split_names(self.allow) if self.allow else None,
            "limits": [limit_of_text(each) for each in split_names(self.limit or ())],
            "owner": self.owner or None,
            "environment": self.environment or UNSET,
            "metadata": metadata_of_json(self.metadata or "{}"),
            "resources": [each for each in self.resource if each] if self.resource else None,
        }


@dataclass(frozen=True, kw_only=True)
class Editing:
    """What is to be different about a key or a template."""

    description: Annotated[str | None, Option("--description", metavar="TEXT", help="A new description.")] = None
    permission: Annotated[
        list[str] | None,
        Option(
            "--permission",
            "-p",
            metavar="NAME",
            help="The permissions from now on, all of them; -p '' takes all away.",
            autocompletion=complete_permission,
        ),
    ] = None
    role: Roles = None
    expires: Expires = None
    never_expires: Annotated[bool, Option("--never-expires", help="Let it live for ever.")] = False
    allow: Allow = None
    anywhere: Annotated[bool, Option("--anywhere", help="Let it be used from anywhere.")] = False
    limit: Limits = None
    owner: Owner = None
    metadata: Metadata = None
    resource: Resources = None
    every_resource: EveryResource = False

    @classmethod
    def options(cls) -> str:
        """All of them, as they are typed."""
        return ", ".join(f"--{each.name.replace('_', '-')}" for each in fields(cls))

    def arguments(self) -> dict[str, Any]:
        """The arguments of `update` that these options stand for: those that were given. Raises `BadInputError`."""
        if self.expires is not None and self.never_expires:
            raise BadInputError("--expires and --never-expires exclude each other")
        if self.allow and self.anywhere:
            raise BadInputError("--allow and --anywhere exclude each other")
        expires_at: datetime | Unset | None = None if self.never_expires else UNSET
        if self.expires is not None:
            expires_at = parse_when("--expires", self.expires, datetime.now(UTC))
        told = {
            "description": UNSET if self.description is None else self.description,
            "permissions": split_names(self.permission) if self.permission else UNSET,
            "roles": split_names(self.role) if self.role else UNSET,
            "expires_at": expires_at,
            "allow": split_names(self.allow) if self.allow else None if self.anywhere else UNSET,
            "limits": [limit_of_text(each) for each in split_names(self.limit)] if self.limit else UNSET,
            "owner": UNSET if self.owner is None else self.owner or None,
            "metadata": UNSET if self.metadata is None else metadata_of_json(self.metadata),
            "resources": resources_given(self.resource, self.every_resource),
        }
        return {name: value for name, value in told.items() if value is not UNSET}
