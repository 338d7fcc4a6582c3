"""Telling a secret again that a vault keeps (docs/decisions/0008)."""

from typing import TYPE_CHECKING

from gatepost.base import Actor, SecretNotStoredError, Untold
from gatepost.keys.changing import announce, changed_by, key_to_change
from gatepost.keys.parts import Parts
from gatepost.rules import UNNAMED, Authority, check_id, checked_actor

if TYPE_CHECKING:
    from gatepost.database import Change


async def reveal(parts: Parts, key_id: str, *, actor: str | Actor = UNNAMED) -> str:
    """`APIKeys.reveal`, which tells of it in full."""
    actor = checked_actor(actor)
    Authority(actor).check_manage()
    check_id(key_id)
    if parts.settings.vault is None:
        raise SecretNotStoredError("No vault is configured: only digests of secrets are stored (vault_keys=)")
    vault = parts.settings.vault

    async def make(change: "Change", authority: Authority) -> Untold:
        key = await key_to_change(change, authority, key_id)
        authority.check_hand_out(key)
        authority.check_current_secret(key)
        digest, sealed = await change.reveal_secret(key_id)
        if sealed is None:
            raise SecretNotStoredError(
                "This key's secret was made before the vault was configured: rotate the key to get one that is kept"
            )
        return Untold(vault.open(sealed, digest))

    change, secret = await changed_by(parts, actor, make)
    await announce(parts, change)
    return secret.text
