"""The field that limits permissions to resources, of a key and of a role."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from starlette.datastructures import FormData

from gatepost.base import BadInputError, Resources, checked_resources

EVERYTHING, LISTED = "everything", "listed"
"""Choices of what permissions hold on. Networks are listed by the same word."""

NOTHING = "nothing"
"""What a list without resources means."""


@dataclass(frozen=True, slots=True)
class ReachField:
    """`choice`: one of the two words above; empty = the form did not ask. `text`: as typed, a resource a line.
    `is_nothing`: that there are none is meant."""

    choice: str = EVERYTHING
    text: str = ""
    is_nothing: bool = False

    @classmethod
    def of(cls, resources: Resources | None) -> Self:
        """For an edit of what has these."""
        return cls(EVERYTHING if resources is None else LISTED, "\n".join(resources or ()), resources == ())

    @classmethod
    def typed(cls, fields: FormData) -> Self:
        """As it was sent."""
        choice, text = (str(fields.get(name, "")).strip() for name in ("reach", "resources"))
        return cls(choice, text, "no_resource" in fields)

    @property
    def resources(self) -> Resources | None:
        """Those that were typed; `None` = every one. Raises `BadInputError`, also for none at all, until somebody has
        said that this is meant."""
        if self.choice not in ("", EVERYTHING, LISTED) or (not self.choice and self.text):
            raise BadInputError(f"Say whether permissions hold on {EVERYTHING!r} or on what is {LISTED!r}", "resources")
        if self.choice != LISTED:
            return None
        typed = resources_lines(self.text)
        if not typed and not self.is_nothing:
            raise BadInputError("No resource is named, so the permissions would hold on nothing", "resources")
        return checked_resources(typed)

    def differs(self, resources: Resources | None) -> bool:
        """Whether other ones were typed than there are. Raises `BadInputError`."""
        return bool(self.choice) and self.resources != ReachField.of(resources).resources

    @property
    def word(self) -> str:
        """What was typed, in one line."""
        return resources_word(None if self.choice != LISTED else resources_lines(self.text))


def resources_lines(text: str) -> Sequence[str]:
    """The lines of a text that say something. Blanks and commas within are part of a name."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def plain(text: str, field_name: str | None) -> str:
    """What a verb says of an entry of a list, without the name that it has there: here it is a line of a text, and told
    itself."""
    return _ENTRY.sub("", text) if field_name in ("allow", "resources") else text


def resources_word(resources: Sequence[str] | None) -> str:
    """What permissions hold on, in one line."""
    return EVERYTHING if resources is None else ", ".join(resources) or NOTHING


_ENTRY = re.compile(r"(?:Allow\[\d+\]|Resources:) ")
