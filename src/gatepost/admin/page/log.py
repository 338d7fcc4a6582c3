"""The audit log: of one key, and of all that the visitor reaches; and what it tells of who made which key."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from gatepost.admin.page.log_filter import LogFilter
from gatepost.admin.page.names import names_of
from gatepost.admin.page.told import Difference, history
from gatepost.admin.page.visit import Visit
from gatepost.base import ActorKind, APIKey, BadInputError, ChangeEvent, KeyNotFoundError, Page

PAGE_EVENTS = 50
"""Changes on a page."""

PAGE_MADE = 100
"""Keys on a page of those that a key made: their ids have to fit into a URL."""


@dataclass(frozen=True, slots=True)
class Line:
    """One change, as it is shown. `name`: the key's description, `actor_name`: that of the key that acted, where the
    key is still there, and the visitor reaches it."""

    event: ChangeEvent
    title: str
    differences: Sequence[Difference]
    name: str | None
    actor_name: str | None

    @property
    def by(self) -> LogFilter | None:
        """What shows all that whoever it was has done; `None` where nobody knows who it was."""
        event = self.event
        if event.actor_kind is None or event.actor_id is None:
            return None
        return LogFilter(by_kind=event.actor_kind, by_id=event.actor_id)


async def show_history(visit: Visit) -> Response:
    """What was done to one key. Of a deleted key, the log is all that is left."""
    key_id = visit.request.path_params["key_id"]
    after = visit.request.query_params.get("after") or None
    page = await visit.keys.events(key_id, after=after, limit=PAGE_EVENTS, actor=visit.actor)
    key = await _key_or_none(visit, key_id)
    if key is None and not page.items:
        raise KeyNotFoundError([key_id])
    lines = await lines_of(visit, page.items)
    return visit.render("history.html", key=key, key_id=key_id, lines=lines, next=page.next, after=after)


async def show_log(visit: Visit) -> Response:
    """What was done to all keys, or to those by whom and when the visitor wants to know."""
    chosen = LogFilter.of(visit.request.query_params)
    page: Page[ChangeEvent] = Page((), None)
    wrong = None
    try:
        page = await visit.keys.events(**chosen.arguments, limit=PAGE_EVENTS, actor=visit.actor)
    except BadInputError as error:
        wrong = error
    return visit.render(
        "log.html",
        200 if wrong is None else 400,
        chosen=chosen,
        lines=await lines_of(visit, page.items),
        next=page.next,
        wrong=wrong,
        noted=any("metadata" in (event.detail or {}) for event in page.items),
        kinds=history.TITLES,
        actor_kinds=history.ACTORS,
    )


async def show_made(visit: Visit) -> Response:
    """The keys that a key made, those that these made, and so on, to be switched off."""
    key_id = visit.request.path_params["key_id"]
    after = visit.request.query_params.get("after") or None
    page = await visit.keys.made_by(key_id, after=after, limit=PAGE_MADE, actor=visit.actor)
    key = await _key_or_none(visit, key_id)
    return visit.render("made.html", key=key, key_id=key_id, page=page, after=after)


async def _key_or_none(visit: Visit, key_id: str) -> APIKey | None:
    try:
        return await visit.keys.get(key_id, actor=visit.actor)
    except KeyNotFoundError:
        return None


async def lines_of(visit: Visit, events: Sequence[ChangeEvent]) -> Sequence[Line]:
    """The changes, with the descriptions of the keys that they were made to, and of those that made them."""
    about = [event.key_id for event in events if event.key_id is not None]
    actors = [event.actor_id for event in events if event.actor_kind == ActorKind.KEY and event.actor_id is not None]
    names = await names_of(visit, list(dict.fromkeys(about)))
    actor_names = await names_of(visit, list(dict.fromkeys(actors)))

    def line(event: ChangeEvent) -> Line:
        actor_name = actor_names.get(event.actor_id or "") if event.actor_kind == ActorKind.KEY else None
        name = names.get(event.key_id or "")
        return Line(event, history.title(event), history.differences(event), name, actor_name)

    return [line(event) for event in events]
