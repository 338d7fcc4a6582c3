"""Activating, deactivating and deleting keys, and ending an old secret: one or many, always asked first."""

from collections.abc import Mapping, Sequence

from starlette.exceptions import HTTPException
from starlette.responses import Response

from gatepost.admin.page.banner import VERBS, Verb, promise, receipt_banner
from gatepost.admin.page.key_list import CHANGE_MAX
from gatepost.admin.page.key_view import show_back
from gatepost.admin.page.names import names_of
from gatepost.admin.page.told import REFUSALS, Failure, refusal_status, sentence
from gatepost.admin.page.visit import WAIT_SECONDS, Visit
from gatepost.base import ForceNeededError, GatepostError, Receipt, StillSpreadingError
from gatepost.rules import PAGE_MAX, Authority

NAMED = 8
"""Keys that a question names; of more, it says how many."""

_NONE_SELECTED = Failure(400, "No key is selected", "Go back, tick the keys that you mean, and try again.")
_NONE_MATCHES = Failure(400, "No key matches", "Nothing fits the search and the filters any more.")
_TOO_MANY = Failure(
    400,
    "These are too many keys",
    f"At most {CHANGE_MAX:,} are changed at once. Go back and narrow the list, by project or by state.",
)


async def ask(visit: Visit) -> Response:
    """Say what a change will do, and ask whether to. With `all`: to all keys that the list has, which are looked up
    now, so that what is confirmed is what is changed."""
    Authority(visit.actor).check_manage()
    query = visit.request.query_params
    verb = _verb(query.get("verb"))
    if "all" not in query:
        ids = list(dict.fromkeys(query.getlist("id")))
        return await _question(visit, verb, ids) if ids else visit.failed(_NONE_SELECTED)
    names = await _all_that_match(visit)
    if not names:
        return visit.failed(_NONE_MATCHES)
    if len(names) > CHANGE_MAX:
        return visit.failed(_TOO_MANY)
    return await _question(visit, verb, list(names), names)


async def change(visit: Visit) -> Response:
    """Do it, and say key by key what came of it."""
    verb = _verb(visit.fields.get("verb"))
    ids = list(dict.fromkeys([*map(str, visit.fields.getlist("id")), *str(visit.fields.get("ids", "")).split()]))
    if not 0 < len(ids) <= CHANGE_MAX:
        raise HTTPException(400, f"Select 1 to {CHANGE_MAX:,} keys.")
    if visit.is_shown_again:
        return await _question(visit, verb, ids)
    names = await names_of(visit, ids)
    try:
        receipt = await _call(visit, verb, ids)
    except StillSpreadingError as spreading:
        receipt = spreading.result
    except REFUSALS as refusal:
        return await _question(visit, verb, ids, names, refusal)
    return await show_back(visit, receipt_banner(verb, receipt, names))


async def _all_that_match(visit: Visit) -> Mapping[str, str]:
    """The descriptions, by id, of all keys of the list that the visitor came from; a few too many where there are more
    than may be changed at once. One round trip for each 500."""
    listing = visit.back.listing
    found: dict[str, str] = {}
    after = None
    while len(found) <= CHANGE_MAX:
        page = await visit.keys.list(**listing.which, sort=listing.sort, after=after, limit=PAGE_MAX, actor=visit.actor)
        found |= {key.id: key.description for key in page.items}
        if page.next is None:
            break
        after = page.next
    return found


async def _call(visit: Visit, verb: Verb, ids: Sequence[str]) -> Receipt:
    """One key is asked for by itself, so that what stands against it comes back to the question."""
    which = ids[0] if len(ids) == 1 else ids
    force = "force" in visit.fields
    match verb.name:
        case "activate":
            return await visit.keys.activate(which, actor=visit.actor, wait="everywhere", timeout=WAIT_SECONDS)
        case "deactivate":
            return await visit.keys.deactivate(which, force=force, actor=visit.actor, timeout=WAIT_SECONDS)
        case "end_grace":
            return await visit.keys.end_grace(which, force=force, actor=visit.actor, timeout=WAIT_SECONDS)
        case _:
            return await visit.keys.delete(which, force=force, actor=visit.actor, timeout=WAIT_SECONDS)


async def _question(
    visit: Visit,
    verb: Verb,
    ids: Sequence[str],
    names: Mapping[str, str] | None = None,
    refusal: GatepostError | None = None,
) -> Response:
    """`names`: descriptions by id, where they are known already."""
    is_own = verb.is_dangerous and visit.actor.key_id in ids
    return visit.render(
        "change.html",
        200 if refusal is None else refusal_status(refusal),
        verb=verb,
        ids=ids,
        names=await names_of(visit, ids[:NAMED]) if names is None else names,
        named=NAMED,
        promise=promise(verb, len(ids)),
        is_own=is_own and (verb.name != "end_grace" or isinstance(refusal, ForceNeededError)),
        error=None if refusal is None else sentence(refusal),
    )


def _verb(name: object) -> Verb:
    verb = VERBS.get(str(name))
    if verb is None:
        raise HTTPException(400, f"Nothing is called {str(name)[:20]!r}: {', '.join(VERBS)}.")
    return verb
