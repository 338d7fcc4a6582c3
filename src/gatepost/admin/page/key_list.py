"""The list of keys."""

from datetime import timedelta

from starlette.responses import Response

from gatepost.admin.page.banner import Banner
from gatepost.admin.page.charts import DAYS, spark
from gatepost.admin.page.list_filter import SORTS, STATE_LABELS, STATES, Listing
from gatepost.admin.page.projects import projects_of
from gatepost.admin.page.roles_known import roles_of
from gatepost.admin.page.told import full, grouped, sentence
from gatepost.admin.page.visit import Visit
from gatepost.base import APIKey, BadInputError, KeyNotFoundError, Page, Total, UnknownPermissionError

PAGE_KEYS = 50
"""Keys on a page."""

CHANGE_MAX = 10_000
"""Most keys that are changed together: one transaction, of some seconds."""


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
    text = "" if last.kind == "created" else "The old secret is refused everywhere."
    if key.old_secret is not None:
        text = f"The old secret opens it too, until {full(key.old_secret.expires_at)}."
    return Banner("success", title, text, key.description, key.id)


async def list_response(visit: Visit, listing: Listing, banner: Banner | None = None) -> Response:
    """The list, with what a change answered above it."""
    page: Page[APIKey] = Page((), None)
    total, wrong = Total(0, exact=True), None
    try:
        place = {"after": listing.after or None, "before": listing.before or None}
        page = await visit.keys.list(**listing.which, sort=listing.sort, **place, limit=PAGE_KEYS, actor=visit.actor)
        total = await visit.keys.count(**listing.which, actor=visit.actor)
    except UnknownPermissionError:
        wrong = f"There is no permission called {listing.permission[:100]}."
    except BadInputError as error:
        wrong = sentence(error)
    used = await visit.keys.usage_by_day([key.id for key in page.items], days=DAYS, actor=visit.actor)
    return visit.render(
        "list.html",
        200 if wrong is None else 400,
        page=page,
        listing=listing,
        banner=banner,
        total=total,
        wrong=wrong,
        projects=await projects_of(visit),
        roles=sorted({role.name for role in await roles_of(visit)}),
        everything=[str(each) for each in visit.keys.catalogue],
        at=listing.query(),
        groups=grouped(visit.keys.catalogue),
        states={state: STATE_LABELS.get(state, state.capitalize()) for state in STATES},
        change_max=CHANGE_MAX,
        sorts=SORTS,
        noted=any(key.metadata for key in page.items),
        sparks={key_id: (spark(counts), sum(counts)) for key_id, counts in used.items()},
    )
