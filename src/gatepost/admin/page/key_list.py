"""The list of keys."""

from datetime import timedelta

from starlette.responses import Response

from gatepost.admin.page.banner import Banner
from gatepost.admin.page.failures import sentence
from gatepost.admin.page.listing import SORTS, STATES, Listing
from gatepost.admin.page.permissions import grouped
from gatepost.admin.page.visit import Visit
from gatepost.errors import BadInputError, KeyNotFoundError, UnknownPermissionError
from gatepost.models import APIKey, Page

PAGE_KEYS = 50
"""Keys on a page."""


NEWS = {"created": "Created", "rotated": "New secret"}
"""What is told once somebody has seen a secret, by what was done."""

NEWS_FOR = timedelta(minutes=15)
"""For how long it is news: a link to it may be opened again."""


async def show_list(visit: Visit) -> Response:
    """The page's root."""
    return await list_response(visit, Listing.of(visit.request.query_params), await news_of(visit))


async def news_of(visit: Visit) -> Banner | None:
    """What the URL says has just become of a key, if that is so."""
    query = visit.request.query_params
    title = NEWS.get(query.get("news", ""))
    if title is None:
        return None
    try:
        key = await visit.keys.get(query.get("key", ""), actor=visit.actor)
        (last,) = (await visit.keys.events(key.id, limit=1, actor=visit.actor)).items
    except (BadInputError, KeyNotFoundError):
        return None
    if last.kind != query["news"] or visit.now - last.at > NEWS_FOR:
        return None
    return Banner("success", title, subject=key.description, key_id=key.id)


async def list_response(visit: Visit, listing: Listing, banner: Banner | None = None) -> Response:
    """The list, with what a change answered above it."""
    page: Page[APIKey] = Page((), None)
    wrong = None
    try:
        page = await visit.keys.list(**listing.arguments, limit=PAGE_KEYS, actor=visit.actor)
    except UnknownPermissionError:
        wrong = f"There is no permission called {listing.permission[:100]}."
    except BadInputError as error:
        wrong = sentence(error)
    return visit.render(
        "list.html",
        200 if wrong is None else 400,
        page=page,
        listing=listing,
        banner=banner,
        wrong=wrong,
        at=listing.query(),
        groups=grouped(visit.keys.catalogue),
        states=STATES,
        sorts=SORTS,
    )
