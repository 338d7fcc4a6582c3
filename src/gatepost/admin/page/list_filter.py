"""Which keys the list shows, as the URL says it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from gatepost.base import ENVIRONMENTS, State, metadata_of_json
from gatepost.keys import Filters

UNUSED_SECONDS = 90 * 86400.0
"""For how long nobody has used a key that is said to be unused: 90 days."""

STATES: Mapping[str, Mapping[str, Any]] = {
    "all": {},
    "active": {"state": State.ACTIVE},
    "expiring": {"state": State.EXPIRING},
    "expired": {"state": State.EXPIRED},
    "deactivated": {"state": State.DEACTIVATED},
    "unending": {"never_expires": True},
    "unused": {"state": State.ACTIVE, "unused_for": UNUSED_SECONDS},
}
"""The filter by state, and the verb's arguments."""

STATE_LABELS: Mapping[str, str] = {
    "expiring": "Expiring soon",
    "unending": "Never expire",
    "unused": "Unused",
}
"""What people call a state, where it is not its own word."""

NO_PERMISSIONS = "-"
"""In place of a permission's name: keys that have none."""

EVERY_PROJECT = "*"
"""In place of a project's name: keys of no project. A name that begins with one has another in front."""

SORTS: Mapping[str, str] = {
    "-created": "Newest first",
    "created": "Oldest first",
    "-updated": "Changed last",
    "updated": "Unchanged longest",
    "description": "A to Z",
    "-description": "Z to A",
    "expires": "Expires soonest",
    "-expires": "Expires last",
    "-last_used": "Used last",
    "last_used": "Unused longest",
}
"""The orders, and what people call them."""

DEFAULT_SORT = "-created"
_FIRST_DIRECTION = {
    "created": "-created",
    "updated": "-updated",
    "description": "description",
    "expires": "expires",
    "last_used": "-last_used",
}
_NAMES = ("permission", "role", "project", "owner", "metadata")
_PLACES = {"after": "", "before": ""}


@dataclass(frozen=True, slots=True)
class Listing:
    """The filters, the order and the place. Empty texts do not filter. `metadata`: JSON, as it was typed. `after`,
    `before`: the verb's, empty = from the start."""

    search: str = ""
    state: str = "all"
    permission: str = ""
    role: str = ""
    project: str = ""
    owner: str = ""
    environment: str = ""
    sort: str = DEFAULT_SORT
    after: str = ""
    before: str = ""
    metadata: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """From the fields of a URL or a form. An unknown state or order is the default."""
        texts = {name: str(fields.get(name, "")).strip() for name in ("search", *_NAMES, *_PLACES)}
        state, sort = str(fields.get("state", "")), str(fields.get("sort", ""))
        environment = str(fields.get("environment", ""))
        return cls(
            **texts,
            environment=environment if environment in ENVIRONMENTS else "",
            state=state if state in STATES else "all",
            sort=sort if sort in SORTS else DEFAULT_SORT,
        )

    @classmethod
    def parse(cls, query: str) -> Self:
        """From a query as `query` made it. Whatever else it holds is dropped."""
        try:
            return cls.of(dict(parse_qsl(query.removeprefix("?"), max_num_fields=20)))
        except ValueError:  # more than any list has
            return cls.of({})

    @property
    def is_filtered(self) -> bool:
        """Whether any filter is set."""
        return self.query(sort=DEFAULT_SORT) != ""

    @property
    def is_further_on(self) -> bool:
        """Whether it is not the start of the list."""
        return bool(self.after or self.before)

    @property
    def filters(self) -> int:
        """How many filters are set beside the search."""
        named = (*_NAMES, "environment")
        return sum((self.state != "all", *(bool(getattr(self, name)) for name in named)))

    def cleared(self) -> str:
        """The query without any filter, in the same order."""
        return Listing(sort=self.sort).query()

    def query(self, **changes: str) -> str:
        """The URL's query, `?` included, empty where all is as by default. `changes`: fields that are to be otherwise;
        then it begins at the start."""
        listing = replace(self, **{**_PLACES, **changes}) if changes else self
        fields = {name: getattr(listing, name) for name in listing.__slots__}
        default = Listing()
        told = {name: text for name, text in fields.items() if text != getattr(default, name)}
        return f"?{urlencode(told)}" if told else ""

    def sorted_by(self, column: str) -> str:
        """The query for a click on a column's head: its first direction, or the other one."""
        first = _FIRST_DIRECTION[column]
        other = first.removeprefix("-") if first.startswith("-") else f"-{first}"
        return self.query(sort=other if self.sort == first else first)

    def direction(self, column: str) -> str:
        """The column's `aria-sort`."""
        if self.sort.removeprefix("-") != column:
            return "none"
        return "descending" if self.sort.startswith("-") else "ascending"

    @property
    def which(self) -> Filters:
        """The keys that fit the filters, as the verbs take it. Raises `BadInputError` for metadata that is none."""
        which: Filters = {"search": self.search or None, **STATES[self.state]}  # type: ignore[typeddict-item]
        which["role"] = self.role or None
        which["owner"], which["environment"] = self.owner or None, self.environment or None
        which["metadata"] = metadata_of_json(self.metadata) if self.metadata else None
        if self.permission == NO_PERMISSIONS:
            which["no_permissions"] = True
        else:
            which["permission"] = self.permission or None
        if self.project == EVERY_PROJECT:
            which["company_wide"] = True
        else:
            which["project"] = project_name(self.project) or None
        return which


def project_value(name: str) -> str:
    """What stands for a project of that name in a form or URL."""
    return f"{EVERY_PROJECT}{name}" if name.startswith(EVERY_PROJECT) else name


def project_name(value: str) -> str:
    """The name that `project_value` told."""
    return value.removeprefix(EVERY_PROJECT)
