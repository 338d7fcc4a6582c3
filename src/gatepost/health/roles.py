"""Roles that were written with a shorthand which stands for more by now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gatepost.health.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class GrownRole:
    """A role whose `patterns` match permissions of the catalogue that it does not give: `missing`, sorted."""

    name: str
    project: str | None
    patterns: Sequence[str]
    missing: Sequence[str]


def grown_finding(role: GrownRole) -> Iterator[Finding]:
    """What it would give if it were written today."""
    whose = "" if role.project is None else f" of project {role.project}"
    option = "" if role.project is None else f" --project {role.project}"
    yield Finding(
        "note",
        "role_grown",
        f"Role {role.name}{whose} was written as {', '.join(role.patterns)}, which would give "
        f"{', '.join(role.missing)} too by now. It does not: what the code declares later is never granted by itself.",
        f"If its keys are to have it: gatepost roles edit {role.name}{option} with -p for all that it is to give",
    )
