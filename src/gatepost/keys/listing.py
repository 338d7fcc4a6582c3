"""Looking at keys: one, a page of them, how many there are, and the projects that have any."""

from typing import TYPE_CHECKING, Unpack

from gatepost.base import PROJECT_MAX, Actor, APIKey, BadInputError, KeyNotFoundError, Page, Total
from gatepost.keys.given import within
from gatepost.keys.parts import Parts
from gatepost.rules import UNNAMED, Authority, check_id, checked_actor, checked_limit, checked_text

if TYPE_CHECKING:
    from gatepost.database import Filter
    from gatepost.keys.given import Filters


async def get_key(parts: Parts, key_id: str, *, actor: str | Actor = UNNAMED) -> APIKey:
    """The key with this id. Raises `KeyNotFoundError`, `UnavailableError`. One round trip."""
    authority = Authority(checked_actor(actor))
    authority.check_look(key_id)
    check_id(key_id)
    key = await parts.database.get_key(key_id)
    if key is None or not authority.reaches(key):
        raise KeyNotFoundError([key_id])
    return key


async def list_keys(
    parts: Parts,
    *,
    sort: str = "-created",
    after: str | None = None,
    before: str | None = None,
    limit: int = 50,
    actor: str | Actor = UNNAMED,
    **which: Unpack["Filters"],
) -> Page[APIKey]:
    """`APIKeys.list`, which tells of it in full."""
    from gatepost.database import Listing, Place, Sort  # noqa: PLC0415 - SQLAlchemy, only where needed

    order = Sort.parse(sort)
    if after is not None and before is not None:
        raise BadInputError("after and before exclude each other", "before")
    wanted = _wanted(parts, which, actor)
    place = None
    if after is not None or before is not None:
        place = Place.parse(after or before or "", order, "before" if after is None else "after")
    limit = checked_limit(limit)
    if wanted is None:
        return Page((), None)
    listing = Listing(filter=wanted, sort=order, place=place, limit=limit, backwards=before is not None)
    return Page(*await parts.database.list_keys(listing))


async def count_keys(parts: Parts, *, actor: str | Actor = UNNAMED, **which: Unpack["Filters"]) -> Total:
    """`APIKeys.count`, which tells of it in full."""
    wanted = _wanted(parts, which, actor)
    return Total(0, exact=True) if wanted is None else await parts.database.count_keys(wanted)


async def list_projects(
    parts: Parts, *, after: str | None = None, limit: int = 100, actor: str | Actor = UNNAMED
) -> Page[str]:
    """`APIKeys.projects`, which tells of it in full."""
    authority = Authority(checked_actor(actor))
    authority.check_look()
    found = await parts.database.list_projects(
        after=None if after is None else checked_text("after", after, PROJECT_MAX),
        limit=checked_limit(limit) + 1,
        **authority.bounds,
    )
    return Page(found[:limit], found[limit - 1] if len(found) > limit else None)


def _wanted(parts: Parts, which: "Filters", actor: str | Actor) -> "Filter | None":
    """The keys that are asked for and that the actor reaches; `None` = there can be none."""
    from gatepost.keys.given import Selection  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    authority = Authority(checked_actor(actor))
    authority.check_look()
    for name in ("made_by", "most"):
        if name in which:
            raise BadInputError(f"{name} is no filter of lists, only of a Selection: keys.made_by lists keys", name)
    return within(authority, Selection(**which).checked(parts.settings.catalogue))
