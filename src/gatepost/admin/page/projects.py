"""The projects that there are, for who has to name one."""

from collections.abc import Sequence
from dataclasses import dataclass

from gatepost.admin.page.visit import Visit

PROJECTS_MAX = 100
"""Most projects that are offered to pick from; of more, the first of these are suggested where a name is typed."""


@dataclass(frozen=True, slots=True)
class Projects:
    """`names`: in order. `is_all`: whether there are no more."""

    names: Sequence[str]
    is_all: bool


async def projects_of(visit: Visit) -> Projects:
    """The projects whose keys the visitor reaches; none for who has only one. One round trip."""
    if visit.actor.project is not None:
        return Projects((), is_all=True)
    page = await visit.keys.projects(limit=PROJECTS_MAX, actor=visit.actor)
    return Projects(page.items, page.next is None)
