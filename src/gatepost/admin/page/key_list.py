"""The list of keys."""

from starlette.responses import Response

from gatepost.admin.page.banner import Banner
from gatepost.admin.page.listing import SORTS, STATES, Listing
from gatepost.admin.page.permissions import grouped
from gatepost.admin.page.visit import Visit
from gatepost.errors import BadInputError
from gatepost.models import APIKey, Page

PAGE_KEYS = 50
"""Keys on a page."""


async def show_list(visit: Visit) -> Response:
    """The page's root."""
    return await list_response(visit, Listing.of(visit.request.query_params))


async def show_back(visit: Visit, banner: Banner) -> Response:
    """What the list looks like after a change, as the visitor had filtered it."""
    return await list_response(visit, Listing.parse(visit.back), banner)


async def list_response(visit: Visit, listing: Listing, banner: Banner | None = None) -> Response:
    """The list, with what a change answered above it."""
    page: Page[APIKey] = Page((), None)
    wrong = None
    try:
        page = await visit.keys.list(**listing.arguments, limit=PAGE_KEYS, actor=visit.actor)
    except BadInputError as error:
        wrong = error
    return visit.render(
        "list.html",
        200 if wrong is None else 400,
        page=page,
        listing=listing,
        banner=banner,
        wrong=wrong,
        groups=grouped(visit.keys.catalogue),
        states=STATES,
        sorts=SORTS,
    )
