"""What an operator may want to mend, and how long something lasts, in words."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""`error`: requests are refused or fail. `warning`: works, but worse than it should. `note`: harmless, good to know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an operator may want to mend. `code`: stable, for programs; `sentence`: what is the matter;
    `remedy`: what to do."""

    severity: Severity
    code: str
    sentence: str
    remedy: str


def span(seconds: float) -> str:
    """So many seconds, minutes, hours or days."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
