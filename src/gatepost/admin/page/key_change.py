"""Activating, deactivating and deleting keys: one or many, always asked first."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.responses import Response

from gatepost.admin.page.banner import VERBS, Verb, promise, receipt_banner
from gatepost.admin.page.failures import REFUSALS, Failure, refusal_status, sentence
from gatepost.admin.page.key_view import show_back
from gatepost.admin.page.names import names_of
from gatepost.admin.page.visit import WAIT_SECONDS, Visit
from gatepost.authority import Authority
from gatepost.errors import GatepostError, StillSpreadingError
from gatepost.keyring import PAGE_MAX
from gatepost.models import Receipt

_NONE_SELECTED = Failure(400, "No key is selected", "Go back, tick the keys that you mean, and try again.")


async def ask(visit: Visit) -> Response:
    """Say what a change will do, and ask whether to."""
    Authority(visit.actor).check_manage()
    query = visit.request.query_params
    verb, ids = _verb(query.get("verb")), list(dict.fromkeys(query.getlist("id")))
    if not ids:
        return visit.failed(_NONE_SELECTED)
    return await _question(visit, verb, ids)


async def change(visit: Visit) -> Response:
    """Do it, and say key by key what came of it."""
    verb = _verb(visit.fields.get("verb"))
    ids = list(dict.fromkeys(map(str, visit.fields.getlist("id"))))
    if not 0 < len(ids) <= PAGE_MAX:
        raise HTTPException(400, f"Select 1 to {PAGE_MAX} keys.")
    names = await names_of(visit, ids)
    if visit.is_shown_again:
        return await _question(visit, verb, ids)
    try:
        receipt = await _call(visit, verb, ids)
    except StillSpreadingError as spreading:
        receipt = spreading.result
    except REFUSALS as refusal:
        return await _question(visit, verb, ids, refusal)
    return await show_back(visit, receipt_banner(verb, receipt, names))


async def _call(visit: Visit, verb: Verb, ids: Sequence[str]) -> Receipt:
    """One key is asked for by itself, so that what stands against it comes back to the question."""
    which = ids[0] if len(ids) == 1 else ids
    force = "force" in visit.fields
    match verb.name:
        case "activate":
            return await visit.keys.activate(which, actor=visit.actor, wait="everywhere", timeout=WAIT_SECONDS)
        case "deactivate":
            return await visit.keys.deactivate(which, force=force, actor=visit.actor, timeout=WAIT_SECONDS)
        case _:
            return await visit.keys.delete(which, force=force, actor=visit.actor, timeout=WAIT_SECONDS)


async def _question(visit: Visit, verb: Verb, ids: Sequence[str], refusal: GatepostError | None = None) -> Response:
    return visit.render(
        "change.html",
        200 if refusal is None else refusal_status(refusal),
        verb=verb,
        ids=ids,
        names=await names_of(visit, ids),
        promise=promise(verb, len(ids)),
        is_own=verb.is_dangerous and visit.actor.key_id in ids,
        error=None if refusal is None else sentence(refusal),
    )


def _verb(name: object) -> Verb:
    verb = VERBS.get(str(name))
    if verb is None:
        raise HTTPException(400, f"Nothing is called {str(name)[:20]!r}: {', '.join(VERBS)}.")
    return verb
