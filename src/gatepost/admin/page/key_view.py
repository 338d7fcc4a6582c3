"""A key to look at: what it is, what it may do, and what was done to it."""

from datetime import timedelta

from starlette.responses import Response

from gatepost.admin.page.back import Back
from gatepost.admin.page.banner import Banner, spread_banner
from gatepost.admin.page.charts import DAYS, chart_of, still_calling
from gatepost.admin.page.key_list import list_response, news_of
from gatepost.admin.page.log import Line, lines_of
from gatepost.admin.page.roles_known import sources_of
from gatepost.admin.page.told import grouped_names, sentence
from gatepost.admin.page.visit import WAIT_SECONDS, Visit
from gatepost.base import MAKING_KINDS, AccessDeniedError, KeyNotFoundError, StillSpreadingError

EVENTS = 8
"""Changes that are shown; the rest is one click away."""

MADE = 5
"""Keys that it made, likewise."""


async def show_key(visit: Visit) -> Response:
    """A key's page. Of a deleted one, the log is all that is left."""
    key_id = visit.request.path_params["key_id"]
    try:
        return await key_response(visit, Back(visit.back.listing, key_id), await news_of(visit))
    except KeyNotFoundError:
        if (await visit.keys.events(key_id, limit=1, actor=visit.actor)).items:
            return visit.redirect(f"/keys/{key_id}/history")
        raise


async def show_back(visit: Visit, banner: Banner) -> Response:
    """What a change leads back to: the page that it was made from, with what it answered."""
    back = visit.back
    if back.key_id is not None:
        try:
            return await key_response(visit, back, banner)
        except KeyNotFoundError:  # it was deleted
            pass
    return await list_response(visit, back.listing, banner)


async def key_response(visit: Visit, here: Back, banner: Banner | None) -> Response:
    """The page of the key `here`. Raises `KeyNotFoundError`."""
    key_id = here.key_id or ""
    key = await visit.keys.get(key_id, actor=visit.actor)
    events = await visit.keys.events(key_id, limit=EVENTS, actor=visit.actor)
    maker = await _maker(visit, key_id)
    since = visit.now.date() - timedelta(days=DAYS - 1)
    used = await visit.keys.usage(key_id, since=since, by=("day", "outcome"), actor=visit.actor)
    by_secret = await visit.keys.usage(key_id, since=since, by=("secret", "outcome"), actor=visit.actor)
    return visit.render(
        "key.html",
        key=key,
        here=here,
        banner=banner,
        groups=grouped_names(visit.keys.catalogue, key.permissions),
        sources=await sources_of(visit, key),
        states=await visit.keys.limits(key_id, actor=visit.actor) if key.limits else (),
        lines=await lines_of(visit, events.items),
        is_all=events.next is None,
        maker=maker,
        chart=chart_of(used, visit.now),
        calling=still_calling(by_secret),
        made=await visit.keys.made_by(key_id, limit=MADE, actor=visit.actor),
        at=here.path,
    )


async def reset_limits(visit: Visit) -> Response:
    """Count anew for all limits of a key."""
    key_id = visit.request.path_params["key_id"]
    try:
        key = await visit.keys.reset_limits(key_id, actor=visit.actor, timeout=WAIT_SECONDS)
    except StillSpreadingError as spreading:
        key = spreading.result
    except AccessDeniedError as refusal:
        return await show_back(visit, Banner("error", sentence(refusal)))
    return await show_back(
        visit, spread_banner(key.description, "Counting anew", key.propagation, "In force everywhere")
    )


async def _maker(visit: Visit, key_id: str) -> Line | None:
    """The change that made the key, and so who did; `None` where the log no longer has it."""
    for kind in MAKING_KINDS:
        made = await visit.keys.events(key_id, kind=kind, limit=1, actor=visit.actor)
        if made.items:
            (line,) = await lines_of(visit, made.items)
            return line
    return None
