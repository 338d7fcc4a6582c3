"""The frame that all changes share: who acts, what they may do, one transaction, an answer for each key."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from gatepost.base import (
    NO_LIMITS,
    AccessDeniedError,
    Actor,
    APIKey,
    BadInputError,
    ForceNeededError,
    KeyNotFoundError,
    Networks,
    Receipt,
    StaleKeyError,
    is_id,
)
from gatepost.keys.parts import Parts
from gatepost.keys.spreading import Patience, settled
from gatepost.rules import UNNAMED, Authority, Subject, check_id, checked_actor, checked_ids

if TYPE_CHECKING:
    from gatepost.database import Change, Standing

T = TypeVar("T")


class _Sorted(NamedTuple):
    """The ids of a change by what became of them; `denied`: with the reason."""

    changed: Sequence[str]
    unchanged: Sequence[str]
    unknown: Sequence[str]
    denied: Mapping[str, str]


async def changed_by(
    parts: Parts, actor: Actor, make: "Callable[[Change, Authority], Awaitable[T]]"
) -> "tuple[Change, T]":
    """A committed change of the actor's, and what `make` answered, which did it with what the actor may do; nothing is
    changed where it raises. It may be called again (`Database.change`). A key that acts is read anew: what it may do
    can have changed. Raises `AccessDeniedError`."""

    async def make_it(change: "Change") -> T:
        return await make(change, await _authority(change, actor))

    return await parts.database.change(None if actor is UNNAMED else actor, make_it)


async def _authority(change: "Change", actor: Actor) -> Authority:
    """What the actor of a change may do in it. Raises `AccessDeniedError`."""
    allow: Sequence[str] | None = None
    limits = NO_LIMITS
    if actor.key_id is not None:
        try:
            key = await change.read_key(actor.key_id)
        except KeyNotFoundError:
            raise AccessDeniedError(f"Key {actor.key_id}, which acts, is not there any more") from None
        if not key.active or (key.expires_at is not None and key.expires_at <= change.now):
            raise AccessDeniedError(f"Key {key.id}, which acts, cannot be used any more")
        if actor.project is not None and key.project not in (None, actor.project):
            raise AccessDeniedError(f"Key {key.id}, which acts, is of another project")
        project = key.project if actor.project is None else actor.project
        if key.allow is not None and actor.address is not None and actor.address not in Networks(key.allow):
            raise AccessDeniedError(f"Key {key.id}, which acts, may not be used from where this was asked")
        actor = replace(actor, project=project, permissions=key.permissions & actor.permissions)
        allow, limits = key.allow, key.limits
    authority = Authority(actor, has_old_secret=await _has_old_secret(change, actor), allow=allow, limits=limits)
    authority.check_manage()
    return authority


async def _has_old_secret(change: "Change", actor: Actor) -> bool:
    """Whether the actor acts with a secret that was rotated out. Raises `AccessDeniedError` for one that is not
    good any more: it was when the call came, but the call may have taken its time."""
    if actor.digest is None:
        return False
    found = await change.secret_of(actor.digest)
    if found is None or found[0] != actor.key_id or (found[1] is not None and found[1] <= change.now):
        raise AccessDeniedError("The secret that this was asked with is not good any more")
    return found[1] is not None


async def key_to_change(change: "Change", authority: Authority, key_id: str, if_version: str | None = None) -> APIKey:
    """The key that is to be changed. Raises `KeyNotFoundError`, `StaleKeyError`."""
    if not await change.states([key_id]):
        raise KeyNotFoundError([key_id])
    key = await change.read_key(key_id)
    authority.check_reach(key)
    if if_version is not None and key.version != if_version:
        raise StaleKeyError(key)
    return key


async def change_keys(
    parts: Parts,
    ids: str | Iterable[str],
    actor: str | Actor,
    patience: Patience,
    *,
    check: Callable[[Authority, Subject], None],
    apply: "Callable[[Change, Sequence[str]], Awaitable[None]]",
    skip: "Callable[[Standing], bool]" = lambda _key: False,
    if_version: str | None = None,
) -> Receipt:
    """Change one key or many in one transaction. `check`: raises where the actor may not change the key. `skip`:
    whether it is as wanted already. `if_version`: as for `update`; raises `BadInputError` for more than a single id."""
    if if_version is not None and not isinstance(ids, str):
        raise BadInputError("if_version goes with a single id", "if_version")
    actor = checked_actor(actor)
    Authority(actor).check_manage()
    wanted = checked_ids(ids)

    async def make(change: "Change", authority: Authority) -> _Sorted:
        if if_version is not None:
            check_id(wanted[0])
            await key_to_change(change, authority, wanted[0], if_version)
        found = await change.states([key_id for key_id in wanted if is_id(key_id)])
        states = {key_id: key for key_id, key in found.items() if authority.reaches(key)}
        unchanged = [key_id for key_id in wanted if key_id in states and skip(states[key_id])]
        changed: list[str] = []
        denied: dict[str, str] = {}
        for key_id in wanted:
            if key_id in states and not skip(states[key_id]):
                try:
                    check(authority, states[key_id])
                    changed.append(key_id)
                except (AccessDeniedError, ForceNeededError) as refusal:
                    if isinstance(ids, str):
                        raise
                    denied[key_id] = str(refusal)
        if changed:
            await apply(change, changed)
        unknown = [key_id for key_id in wanted if key_id not in states]
        return _Sorted(changed, unchanged, unknown, denied)

    change, ids_by = await changed_by(parts, actor, make)
    seq = change.seq if ids_by.changed else None
    receipt = await settled(
        parts,
        change,
        patience,
        lambda spread: Receipt(seq, ids_by.changed, ids_by.unchanged, ids_by.unknown, spread, ids_by.denied),
        changed=bool(ids_by.changed),
        known=bool(ids_by.changed or ids_by.unchanged),
    )
    return _checked_receipt(ids, receipt)


def _checked_receipt(ids: str | Iterable[str], receipt: Receipt) -> Receipt:
    """The receipt. Raises `KeyNotFoundError` where only one was asked for, as a plain text, and is unknown."""
    if receipt.unknown and isinstance(ids, str):
        raise KeyNotFoundError(receipt.unknown)
    return receipt
