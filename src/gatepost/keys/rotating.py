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
    """`APIKeys.rotate`, which tells of it in full."""
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
    """`APIKeys.end_grace`, which tells of it in full."""

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
