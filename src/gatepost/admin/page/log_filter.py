"""Which events the log shows, as the URL says it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from gatepost.base import BadInputError, metadata_of_json


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The filters and the place. Empty texts do not filter. `since`, `until`: days, in UTC, both of them shown."""

    kind: str = ""
    by_kind: str = ""
    by_id: str = ""
    project: str = ""
    owner: str = ""
    environment: str = ""
    metadata: str = ""
    since: str = ""
    until: str = ""
    after: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """From the fields of a URL."""
        return cls(**{name: str(fields.get(name, "")).strip() for name in cls.__slots__})

    @property
    def is_filtered(self) -> bool:
        """Whether any filter is set."""
        return self.query(after="") != ""

    @property
    def key_id(self) -> str | None:
        """The key whose doings are shown, where only those are."""
        return self.by_id if self.by_kind == "key" and self.by_id else None

    def query(self, **changes: str) -> str:
        """The URL's query, `?` included, empty where nothing is filtered. `changes`: fields that are to be
        otherwise."""
        changed = replace(self, **changes)
        told = {name: getattr(changed, name) for name in changed.__slots__ if getattr(changed, name)}
        return f"?{urlencode(told)}" if told else ""

    @property
    def arguments(self) -> dict[str, Any]:
        """What `APIKeys.events` takes. Raises `BadInputError`."""
        return {
            "kind": self.kind or None,
            "by_kind": self.by_kind or None,
            "by_id": self.by_id or None,
            "project": self.project or None,
            "owner": self.owner or None,
            "environment": self.environment or None,
            "metadata": metadata_of_json(self.metadata) if self.metadata else None,
            "since": _start_of("since", self.since),
            "until": _start_of("until", self.until, later=timedelta(days=1)),
            "after": self.after or None,
        }


def _start_of(name: str, day: str, later: timedelta = timedelta(0)) -> datetime | None:
    """The first moment of the day, in UTC."""
    try:
        return datetime.combine(date.fromisoformat(day) + later, datetime.min.time(), UTC) if day else None
    except (ValueError, OverflowError):
        raise BadInputError(f"{name} must be a day such as 2030-01-31, not {day!r:.50}", name) from None
