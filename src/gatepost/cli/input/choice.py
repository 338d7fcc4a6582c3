"""Which keys a command is about, and in what order."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from typer import Option

from gatepost.base import EXPIRING_SECONDS, BadInputError, Environment, metadata_of_json
from gatepost.cli.input.arguments import format_span, parse_seconds, parse_when
from gatepost.cli.input.options import ChangeOptions, KeysOptions, complete_permission
from gatepost.keys import SELECTED_MAX, Filters, Order, Selection

_SORT_HELP = "created, updated, description, expires or last_used; with - in front the last ones first."

StateName = Literal["active", "expiring", "expired", "deactivated"]

_EXAMPLES = (
    "owner",
    "project",
    "environment",
    "metadata",
    "permission",
    "role",
    "search",
    "unused_for",
    "expires_before",
    "made_by",
)
"""What is named to who names nothing."""

_ANY = Selection()
"""What is meant where nothing is said."""


@dataclass(frozen=True, kw_only=True)
class WhichOptions(KeysOptions):
    """What every command takes that is about many keys: which ones."""

    project: Annotated[str | None, Option("--project", metavar="NAME", help="Only keys of this project.")] = None
    company_wide: Annotated[bool, Option("--company-wide", help="Only keys of no project.")] = False
    owner: Annotated[str | None, Option("--owner", metavar="NAME", help="Only keys of this owner.")] = None
    environment: Annotated[
        Environment | None, Option("--environment", metavar="NAME", help="Only keys for this one: live, or test.")
    ] = None
    metadata: Annotated[
        str | None,
        Option("--metadata", metavar="JSON", help='Only keys that have each of these members: {"plan": "pro"}.'),
    ] = None
    state: Annotated[
        StateName | None,
        Option(
            "--state",
            metavar="STATE",
            help="Only keys that are active (they work now), expiring (of these, those that end soon), expired, or "
            "deactivated.",
        ),
    ] = None
    active: Annotated[
        bool | None,
        Option("--active/--inactive", help="The same as --state active, or deactivated.", show_default=False),
    ] = None
    permission: Annotated[
        str | None,
        Option(
            "--permission",
            "-p",
            metavar="NAME",
            help="Only keys that have this permission.",
            autocompletion=complete_permission,
        ),
    ] = None
    no_permissions: Annotated[bool, Option("--no-permissions", help="Only keys that may do nothing.")] = False
    role: Annotated[str | None, Option("--role", metavar="NAME", help="Only keys that hold this role.")] = None
    search: Annotated[
        str | None,
        Option(
            "--search",
            metavar="WORDS",
            help="Each of them begins a word of the key's description, or its id; or a secret as lists show it, its "
            "start, or its last four characters.",
        ),
    ] = None
    expires_before: Annotated[
        str | None,
        Option("--expires-before", metavar="WHEN", help="Only keys that end, or ended, before: 90d, 2030-01-31."),
    ] = None
    never_expires: Annotated[bool, Option("--never-expires", help="Only keys without an expiry.")] = False
    expires_within: Annotated[
        str, Option("--expires-within", metavar="SPAN", help="How soon a key must end to be expiring.")
    ] = format_span(EXPIRING_SECONDS)
    unused_for: Annotated[
        str | None,
        Option("--unused-for", metavar="SPAN", help="Only keys that nobody has used for so long, and that are as old."),
    ] = None
    never_used: Annotated[bool, Option("--never-used", help="Only keys that nobody has used.")] = False

    def which(self) -> Filters:
        """The arguments of `APIKeys.list` that these options stand for. Raises `BadInputError`."""
        before = self.expires_before
        return {
            "project": self.project,
            "company_wide": self.company_wide,
            "owner": self.owner,
            "environment": self.environment,
            "metadata": None if self.metadata is None else metadata_of_json(self.metadata),
            "active": self.active,
            "state": self.state,
            "permission": self.permission,
            "no_permissions": self.no_permissions,
            "role": self.role,
            "search": self.search,
            "expires_before": None if before is None else parse_when("--expires-before", before, datetime.now(UTC)),
            "never_expires": self.never_expires,
            "expires_within": parse_seconds("--expires-within", self.expires_within),
            "unused_for": None if self.unused_for is None else parse_seconds("--unused-for", self.unused_for),
            "never_used": self.never_used,
        }


@dataclass(frozen=True, kw_only=True)
class SelectingOptions(WhichOptions, ChangeOptions):
    """What every command takes that changes keys by their ids, or by what they are."""

    templates: Annotated[
        bool, Option("--templates", help="Only templates of temporary secrets. Default: keys; with --made-by both.")
    ] = False
    made_by: Annotated[
        str | None, Option("--made-by", metavar="ID", help="Only keys that this key made, that these made, and so on.")
    ] = None
    most: Annotated[int, Option("--most", metavar="N", min=1, help="Change nothing where more keys fit.")] = (
        SELECTED_MAX
    )
    preview: Annotated[bool, Option("--preview", help="Change nothing; show what would become of each key.")] = False
    condition_prefix: ClassVar[str] = ""
    """What the options begin with that say which keys."""

    def which(self) -> Filters:
        """The arguments of `Selection` that these options stand for, but for two. Raises `BadInputError`."""
        return {**super().which(), "templates": self.templates}

    def chosen(self, ids: Sequence[str] | None) -> Sequence[str] | Selection:
        """The keys that are meant: these ids, or those that fit the options. Raises `BadInputError`."""
        selection = Selection(**self.which(), made_by=self.made_by, most=self.most)
        if ids is not None and selection != _ANY:
            names = [
                each.name for each in fields(Selection) if getattr(selection, each.name) != getattr(_ANY, each.name)
            ]
            options = ", ".join(map(self._option, names))
            raise BadInputError(f"Name keys by their ids, or by what they are ({options}), not by both")
        if ids is None and not selection.conditions:
            options = ", ".join(map(self._option, _EXAMPLES))
            raise BadInputError(f"Name keys by their ids, or by what they are: {options} or the like")
        return selection if ids is None else ids

    def _option(self, name: str) -> str:
        """What is typed for this argument of a selection."""
        prefix = "" if name == "most" else self.condition_prefix
        return f"--{prefix}{'inactive' if name == 'active' and not self.active else name.replace('_', '-')}"


@dataclass(frozen=True, kw_only=True)
class WhereOptions(SelectingOptions):
    """The same for a command that has `--owner` and the like for what becomes of the keys: here all that says which
    ones begins with `--where-`, so that nobody takes one for the other."""

    condition_prefix: ClassVar[str] = "where-"

    @classmethod
    def hints(cls) -> dict[str, Any]:
        """The types of the fields, with how each is typed at the shell."""
        others = {each.name for each in fields(ChangeOptions)} | {"most", "preview"}
        conditions = {each.name for each in fields(cls)} - others
        return {name: _where(hint) if name in conditions else hint for name, hint in super().hints().items()}


def _where(hint: Any) -> Any:
    """The same option of another name: `--owner` as `--where-owner`, `-p` as nothing."""
    (option,) = map(copy, hint.__metadata__)
    begun = f"--{WhereOptions.condition_prefix}"
    option.default = option.default.replace("--", begun)  # Typer keeps there what an annotation names first
    option.param_decls = ()
    option.help = option.help.replace("--", begun)
    option.rich_help_panel = "Which keys"
    return Annotated[hint.__origin__, option]


@dataclass(frozen=True, kw_only=True)
class ChoiceOptions(WhichOptions):
    """What every command takes that tells of many keys: which ones, and in what order."""

    sort: Annotated[Order, Option("--sort", metavar="ORDER", help=_SORT_HELP)] = "-created"

    def choice(self) -> dict[str, Any]:
        """The arguments of `APIKeys.list` that these options stand for. Raises `BadInputError`."""
        return {**self.which(), "sort": self.sort}
