"""Which keys the list shows, as the URL says it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

STATES: Mapping[str, bool | None] = {"all": None, "active": True, "deactivated": False}
"""The filter by state, and the verb's argument."""

SORTS: Mapping[str, str] = {
    "-created": "Newest first",
    "created": "Oldest first",
    "-updated": "Changed last",
    "updated": "Unchanged longest",
    "description": "A to Z",
    "-description": "Z to A",
}
"""The orders, and what people call them."""

DEFAULT_SORT = "-created"
_FIRST_DIRECTION = {"created": "-created", "updated": "-updated", "description": "description"}


@dataclass(frozen=True, slots=True)
class Listing:
    """The filters, the order and the place. Empty texts do not filter. `after`: the verb's, empty = from the start."""

    search: str = ""
    state: str = "all"
    permission: str = ""
    project: str = ""
    sort: str = DEFAULT_SORT
    after: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """From the fields of a URL or a form. An unknown state or order is the default."""
        texts = {name: str(fields.get(name, "")).strip() for name in ("search", "permission", "project", "after")}
        state, sort = str(fields.get("state", "")), str(fields.get("sort", ""))
        return cls(
            **texts,
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
        return self.query(sort=DEFAULT_SORT, after="") != ""

    @property
    def filters(self) -> int:
        """How many filters are set beside the search."""
        return sum((self.state != "all", bool(self.permission), bool(self.project)))

    def cleared(self) -> str:
        """The query without any filter, in the same order."""
        return Listing(sort=self.sort).query()

    def query(self, **changes: str) -> str:
        """The URL's query, `?` included, empty where all is as by default. `changes`: fields that are to be otherwise;
        then it begins at the start."""
        listing = replace(self, **{"after": "", **changes}) if changes else self
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
    def arguments(self) -> dict[str, Any]:
        """What `APIKeys.list` takes."""
        return {
            "search": self.search or None,
            "active": STATES[self.state],
            "permission": self.permission or None,
            "project": self.project or None,
            "sort": self.sort,
            "after": self.after or None,
        }
