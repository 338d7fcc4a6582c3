"""Ending a secret that was found in the open: what knows it may end it, and learns nothing by that."""

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gatepost.base import (
    DIGEST_BYTES,
    LEAK_RESPONSES,
    PLACE_MAX,
    SOURCE_MAX,
    Actor,
    APIKey,
    BadInputError,
    Issued,
    Leak,
    LeakDone,
    LeakResponse,
    Untold,
    digest,
)
from gatepost.keys.changing import Patience, changed_by, settled
from gatepost.keys.given import secret_columns
from gatepost.keys.parts import Parts
from gatepost.rules import UNNAMED, Authority, checked_actor, checked_choice, checked_text
from gatepost.temporary import Claims

if TYPE_CHECKING:
    from gatepost.database import Change


class _Found(NamedTuple):
    """The key of a leaked secret, as it was left, what was done, and a new secret where there is one."""

    key: APIKey
    done: LeakDone
    secret: Untold | None = None


def without_text(parts: Parts, secret: str | bytes | Claims) -> bytes | Claims:
    """What is left of a leaked secret: its digest, or what it claims where it is a temporary one that was made here.
    Raises `BadInputError`, without the text."""
    if isinstance(secret, Claims) or (isinstance(secret, bytes) and len(secret) == DIGEST_BYTES):
        return secret
    if not isinstance(secret, str):
        raise BadInputError("secret must be a str, or its digest: 32 bytes", "secret")
    raw = secret.strip().encode("utf-8", "surrogatepass")
    return parts.opened().temporary.read(raw) or digest(raw)


async def report_leak(
    parts: Parts,
    found: bytes | Claims,
    *,
    source: str = "report",
    place: str | None = None,
    response: LeakResponse = "deactivate",
    once: bool = False,
    actor: str | Actor = UNNAMED,
    timeout: float | None = None,
) -> Leak | None:
    """`APIKeys.report_leak`, which tells of it in full."""
    patience = Patience.of("everywhere", timeout, parts.clock)
    checked_choice("response", response, LEAK_RESPONSES)
    detail = {"source": checked_text("source", source, SOURCE_MAX), "place": place, "response": response}
    if place is not None:
        detail["place"] = checked_text("place", place, PLACE_MAX)
    claims = found if isinstance(found, Claims) else None
    of_key = found.digest if isinstance(found, Claims) else found
    if claims is not None:
        detail["temporary"] = claims.name
    actor = checked_actor(actor)
    Authority(actor).check_manage()

    async def make(change: "Change", authority: Authority) -> _Found | None:
        known = await change.secret_of(of_key)
        if known is None or not await change.states([known[0]]):
            return None
        key = await change.read_key(known[0])
        if key.template is not None and claims is None:  # nobody holds its secret
            return None
        if not authority.reaches(key):
            return None
        if not await change.note_leak(key, of_key, detail) and once:
            return _Found(key, "nothing")
        if claims is not None or response == "notify" or (known[1] is not None and known[1] <= change.now):
            return _Found(key, "noted")
        return await _end(parts, change, authority, key, response, is_older=known[1] is not None)

    change, left = await changed_by(parts, actor, make)
    if left is None:
        return None
    return await settled(
        parts,
        change,
        patience,
        lambda spread: Leak(
            left.key.id,
            left.done,
            None if left.secret is None else Issued(left.key, left.secret.text, spread),
        ),
        changed=change.has_events,
    )


async def _end(
    parts: Parts, change: "Change", authority: Authority, key: APIKey, response: LeakResponse, *, is_older: bool
) -> _Found:
    """End the leaked secret of a key, which lives. Who is told a new one must be one who may have it."""
    if is_older:
        await change.end_grace([key.id])
        return _Found(key, "grace_ended")
    if response == "rotate":
        authority.check_hand_out(key)
        authority.check_current_secret(key)
        secret = Untold(parts.opened().format.make(key.id, environment=key.environment))
        columns = secret_columns(parts.settings.vault, secret)
        await change.rotate_secret(key, **columns, grace=timedelta(0))
        return _Found(await change.read_key(key.id), "rotated", secret)
    if not key.active:
        return _Found(key, "noted")
    await change.set_active([key.id], False)
    return _Found(key, "deactivated")
