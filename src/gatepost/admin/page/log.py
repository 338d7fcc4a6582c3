"""The audit log: of one key, and of all that the visitor reaches."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from gatepost.admin.page import history
from gatepost.admin.page.history import Difference
from gatepost.admin.page.names import names_of
from gatepost.admin.page.visit import Visit
from gatepost.errors import KeyNotFoundError
from gatepost.models import ChangeEvent

PAGE_EVENTS = 50
"""Changes on a page."""


@dataclass(frozen=True, slots=True)
class Line:
    """One change, as it is shown. `name`: the key's description, where the key is still there."""

    event: ChangeEvent
    title: str
    differences: Sequence[Difference]
    name: str | None = None


async def show_history(visit: Visit) -> Response:
    """What was done to one key. Of a deleted key, the log is all that is left."""
    key_id = visit.request.path_params["key_id"]
    page = await visit.keys.events(key_id, after=_after(visit), limit=PAGE_EVENTS, actor=visit.actor)
    try:
        key = await visit.keys.get(key_id, actor=visit.actor)
    except KeyNotFoundError:
        if not page.items:
            raise
        key = None
    lines = await lines_of(visit, page.items)
    return visit.render("history.html", key=key, key_id=key_id, lines=lines, next=page.next, after=_after(visit))


async def show_log(visit: Visit) -> Response:
    """What was done to all keys."""
    page = await visit.keys.events(after=_after(visit), limit=PAGE_EVENTS, actor=visit.actor)
    lines = await lines_of(visit, page.items)
    return visit.render("log.html", lines=lines, next=page.next, after=_after(visit))


def _after(visit: Visit) -> str | None:
    return visit.request.query_params.get("after") or None


async def lines_of(visit: Visit, events: Sequence[ChangeEvent]) -> Sequence[Line]:
    """The changes, with the descriptions of the keys that they were made to."""
    names = await names_of(visit, list(dict.fromkeys(event.key_id for event in events if event.key_id is not None)))
    return [
        Line(event, history.title(event), history.differences(event), names.get(event.key_id or "")) for event in events
    ]
