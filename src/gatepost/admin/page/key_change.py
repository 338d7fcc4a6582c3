"""Activating, deactivating and deleting keys: one or many, always asked first."""

import asyncio
from collections.abc import Mapping, Sequence

from starlette.exceptions import HTTPException
from starlette.responses import Response

from gatepost.admin.page.banner import VERBS, Verb, promise, receipt_banner
from gatepost.admin.page.failures import REFUSALS, Failure, refusal_status, sentence
from gatepost.admin.page.key_list import show_back
from gatepost.admin.page.visit import WAIT_SECONDS, Visit
from gatepost.authority import Authority
from gatepost.errors import GatepostError, KeyNotFoundError, StillSpreadingError
from gatepost.keyring import PAGE_MAX
from gatepost.models import Receipt

NAMED_MAX = 50
"""Most keys whose descriptions are read, one by one: a page of the list."""

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
    try:
        receipt = await _call(visit, verb, ids)
    except StillSpreadingError as spreading:
        receipt = spreading.result
    except REFUSALS as refusal:
        return await _question(visit, verb, ids, refusal)
    return await show_back(visit, receipt_banner(verb, receipt, names))


async def names_of(visit: Visit, ids: Sequence[str]) -> Mapping[str, str]:
    """The descriptions of the first keys, as far as there are such and the visitor reaches them."""

    async def name(key_id: str) -> tuple[str, str | None]:
        try:
            return key_id, (await visit.keys.get(key_id, actor=visit.actor)).description
        except KeyNotFoundError:
            return key_id, None

    found = await asyncio.gather(*map(name, ids[:NAMED_MAX]))
    return {key_id: text for key_id, text in found if text is not None}


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
