"""Giving a key a new secret, and ending the one before."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from gatepost.base import AccessDeniedError, Actor, APIKey, BadInputError, Issued, Receipt, Untold
from gatepost.keys.changing import Patience, change_keys, changed_by, key_to_change, settled
from gatepost.keys.given import Selection, Wait, secret_columns
from gatepost.keys.parts import Parts
from gatepost.keys.policies import check_grace
from gatepost.rules import UNNAMED, Authority, check_id, checked_actor

if TYPE_CHECKING:
    from gatepost.database import Change, Standing

OWN_GRACE_MIN = 1.0
"""Seconds of grace below which rotating the key in use needs `force`: too short to take up the new secret."""


async def rotate(
    parts: Parts,
    key_id: str,
    *,
    grace: float,
    if_version: str | None = None,
    force: bool = False,
    actor: str | Actor = UNNAMED,
    wait: Wait = "everywhere",
    timeout: float | None = None,
) -> Issued:
    """Give a key a new secret. The one before goes on working for `grace` seconds, `max_grace` at most; 0 kills it
    at once. Until then it is the key's `old_secret`, and `end_grace` ends it early.

    A key has two secrets at most: one that an earlier rotation left dies now. Waits as `deactivate` does, with
    `wait` and `timeout` as there; the new secret is in the error's `result` then. An actor needs every permission
    of the key, and `force` to end the secret that it uses at once; with an older secret of the key it gets no new
    one. `if_version`: as for `update`. Raises `KeyNotFoundError`, `BadInputError`, `PolicyError`,
    `StaleKeyError`, `AccessDeniedError`, `ForceNeededError`, `UnavailableError`, `StillSpreadingError`. One
    transaction.
    """
    patience = Patience.of(wait, timeout, parts.clock)
    actor = checked_actor(actor)
    Authority(actor).check_manage()
    if not isinstance(grace, int | float) or not 0 <= grace <= parts.settings.max_grace:
        raise BadInputError(
            f"grace must be a number of seconds, 0 to {parts.settings.max_grace:.0f}, not {grace!r}: the setting "
            "max_grace says how long an older secret may live on",
            "grace",
        )
    check_id(key_id)
    secret_format = parts.opened().format

    async def make(change: "Change", authority: Authority) -> tuple[APIKey, Untold]:
        before = await key_to_change(change, authority, key_id, if_version)
        if before.template is not None:
            raise AccessDeniedError(f"{key_id} is a template and has no secret: templates.rotate ends what it issued")
        authority.check_hand_out(before)
        authority.check_current_secret(before)
        authority.check_own(before, force=force or grace >= OWN_GRACE_MIN)
        await check_grace(change, before.project, grace)
        secret = Untold(secret_format.make(key_id, environment=before.environment))
        columns = secret_columns(parts.settings.vault, secret)
        await change.rotate_secret(before, **columns, grace=timedelta(seconds=grace))
        return await change.read_key(key_id), secret

    change, (key, secret) = await changed_by(parts, actor, make)
    return await settled(parts, change, patience, lambda spread: Issued(key, secret.text, spread))


async def end_grace(
    parts: Parts,
    ids: str | Iterable[str] | Selection,
    *,
    preview: bool = False,
    if_version: str | None = None,
    force: bool = False,
    actor: str | Actor = UNNAMED,
    wait: Wait = "everywhere",
    timeout: float | None = None,
) -> Receipt:
    """End the older secret that a rotation of one key or many left working for a while, now and in one transaction;
    the current one stays. A key without one, or whose grace has run out, is `unchanged`. `force`: also where it is
    the secret that the actor uses. As `deactivate` otherwise. `if_version`: as for `update`, with a single id."""

    def judge(authority: Authority, key: "Standing") -> bool:
        if not key.has_old_secret:
            return False
        authority.check_own_secret(key, force=force)
        return True

    patience = Patience.of(wait, timeout, parts.clock)
    return await change_keys(
        parts,
        ids,
        actor,
        patience,
        judge=judge,
        apply=lambda change, found: change.end_grace(found),
        preview=preview,
        if_version=if_version,
    )
