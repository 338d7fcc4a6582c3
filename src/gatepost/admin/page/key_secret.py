"""Giving a key a new secret, and telling a stored one again."""

from typing import Literal

from starlette.responses import Response

from gatepost.admin.page.banner import Banner, spread_banner
from gatepost.admin.page.told import REFUSALS, Failure, refusal_status, sentence, span
from gatepost.admin.page.visit import WAIT_SECONDS, Visit
from gatepost.base import APIKey, BadInputError, SecretNotStoredError, StaleKeyError, StillSpreadingError
from gatepost.rules import Authority

GRACES = {"0": "None: it stops working at once", "3600": "1 hour", "86400": "1 day", "604800": "7 days"}
"""Choices of how long the secret before goes on working, in seconds; of these, what the keys allow."""

UNITS = {"minutes": 60, "hours": 3600, "days": 86400}
OWN = "own"
_DEFAULT = "86400"
_CHANGED = "Somebody has changed this key since the form was opened. Look at it again, then rotate."


async def show_rotate(visit: Visit) -> Response:
    """Ask for how long the secret before is to go on working."""
    Authority(visit.actor).check_manage()
    key = await visit.keys.get(visit.request.path_params["key_id"], actor=visit.actor)
    return _form(visit, key)


async def rotate(visit: Visit) -> Response:
    """Give a key a new secret, and tell it."""
    key = await visit.keys.get(visit.request.path_params["key_id"], actor=visit.actor)
    if visit.is_shown_again:
        return _form(visit, key)
    try:
        issued = await visit.keys.rotate(
            key.id,
            grace=_grace_seconds(visit),
            if_version=str(visit.fields.get("version", "")),
            force="force" in visit.fields,
            actor=visit.actor,
            timeout=WAIT_SECONDS,
        )
    except StillSpreadingError as spreading:
        issued = spreading.result
    except StaleKeyError as stale:
        return _form(visit, stale.key, 409, error=_CHANGED)
    except REFUSALS as refusal:
        return _form(visit, key, refusal_status(refusal), error=sentence(refusal))
    grace = _grace_seconds(visit)
    known = (
        f"The old secret works for {span(grace)} more, then nowhere"
        if grace
        else "The old secret is refused everywhere"
    )
    banner = None
    if issued.propagation is not None:
        banner = spread_banner(issued.key.description, "Rotated", issued.propagation, known)
    return secret_response(visit, issued.key, issued.secret, "rotated", banner)


async def reveal(visit: Visit) -> Response:
    """Tell the stored secret of a key."""
    key_id = visit.request.path_params["key_id"]
    key = await visit.keys.get(key_id, actor=visit.actor)
    try:
        secret = await visit.keys.reveal(key_id, actor=visit.actor)
    except SecretNotStoredError as error:
        return visit.failed(Failure(409, "The secret cannot be copied", sentence(error)))
    return secret_response(visit, key, secret, "revealed")


def secret_response(
    visit: Visit,
    key: APIKey,
    secret: str,
    kind: Literal["created", "rotated", "revealed"],
    banner: Banner | None = None,
) -> Response:
    """The page that tells a secret, which leads back to where it was asked for. `banner`: what a rotation answered."""
    path = visit.back.path if kind == "revealed" else visit.back.telling(kind, key.id)
    return visit.render("secret.html", key=key, secret=secret, kind=kind, banner=banner, then=path)


def _grace_seconds(visit: Visit) -> float:
    """The choice. Raises `BadInputError`."""
    choice = str(visit.fields.get("grace", ""))
    if choice in GRACES:
        return float(choice)
    try:
        amount = float(str(visit.fields.get("grace_amount", "")))
    except ValueError:
        raise BadInputError("Type for how long the old secret goes on working, as a number", "grace") from None
    return amount * UNITS.get(str(visit.fields.get("grace_unit")), 3600)


def _form(visit: Visit, key: APIKey, status_code: int = 200, *, error: str | None = None) -> Response:
    return visit.render(
        "rotate.html",
        status_code,
        key=key,
        error=error,
        graces={seconds: label for seconds, label in GRACES.items() if int(seconds) <= visit.keys.max_grace},
        longest=span(visit.keys.max_grace),
        units=UNITS,
        grace=visit.fields.get("grace", _DEFAULT),
        amount=visit.fields.get("grace_amount", ""),
        unit=visit.fields.get("grace_unit", "hours"),
        own=OWN,
    )
