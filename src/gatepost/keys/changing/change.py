"""The frame that all changes share: who acts, what they may do, one transaction, an answer for each key."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from gatepost.base import (
    NO_LIMITS,
    AccessDeniedError,
    Actor,
    APIKey,
    BadInputError,
    ForceNeededError,
    KeyNotFoundError,
    Networks,
    PolicyError,
    Propagation,
    Receipt,
    RoleNotFoundError,
    StaleKeyError,
    is_id,
)
from gatepost.keys.changing.nearest import UnknownRoleError, name_nearest
from gatepost.keys.changing.spreading import Patience, settled
from gatepost.keys.given import Selection, within
from gatepost.keys.parts import Parts
from gatepost.rules import UNNAMED, Authority, Subject, check_id, checked_actor, checked_ids

if TYPE_CHECKING:
    from gatepost.database import Change, Filter, Standing

T = TypeVar("T")
K = TypeVar("K", bound=Subject)


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
        authority = await _authority(change, actor)
        try:
            return await make(change, authority)
        except (UnknownRoleError, RoleNotFoundError) as unknown:
            await name_nearest(change, authority, unknown)
            raise

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
        for name in ("project", "environment"):
            if (own := getattr(actor, name)) is not None and getattr(key, name) not in (None, own):
                raise AccessDeniedError(f"Key {key.id}, which acts, is of another {name}")
        project = key.project if actor.project is None else actor.project
        if key.allow is not None and actor.address is not None and actor.address not in Networks(key.allow):
            raise AccessDeniedError(f"Key {key.id}, which acts, may not be used from where this was asked")
        held = key.granted & actor.permissions
        actor = replace(actor, project=project, permissions=held, environment=actor.environment or key.environment)
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


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What a verb was asked to change: `ids`, or else the keys that fit `selection`, as `choice` says. `with_terms`:
    whether terms may be asked for these."""

    ids: Sequence[str]
    selection: Selection | None = None
    choice: "Filter | None" = None
    with_terms: bool = False

    @classmethod
    async def of(cls, parts: Parts, which: str | Iterable[str] | Selection) -> "_Chosen":
        """Checked. Raises `BadInputError`, `UnknownPermissionError`."""
        if not isinstance(which, Selection):
            return cls(checked_ids(which))
        choice = which.checked_choice(parts.settings.catalogue)
        with_terms = choice.by_terms and await parts.database.terms_are_current()
        return cls((), which, choice, with_terms)

    async def states(self, change: "Change", authority: Authority) -> "tuple[Sequence[str], Mapping[str, Standing]]":
        """The ids, and of those that the actor reaches what may be done to them. Raises `BadInputError` where more fit
        than the selection may have."""
        if self.selection is None or self.choice is None:
            found = await change.states([key_id for key_id in self.ids if is_id(key_id)])
            return self.ids, {key_id: key for key_id, key in found.items() if authority.reaches(key)}
        fitting = within(authority, self.choice)
        if fitting is None:
            return (), {}
        most, made_by = self.selection.most, self.selection.made_by
        found = await change.select(fitting, most, with_terms=self.with_terms, made_by=made_by)
        return list(found), found


async def change_keys(
    parts: Parts,
    which: str | Iterable[str] | Selection,
    actor: str | Actor,
    patience: Patience,
    *,
    judge: Callable[[Authority, K], bool],
    apply: "Callable[[Change, Sequence[str]], Awaitable[None]]",
    read: "Callable[[Change, Sequence[str]], Awaitable[Mapping[str, K] | None]] | None" = None,
    if_version: str | None = None,
    preview: bool = False,
) -> Receipt:
    """Change one key or many in one transaction. `which`: an id, ids, or a selection, made in that transaction.
    `judge`: whether a key is not as wanted yet; raises where the actor may not change it. `read`: what that needs to
    know of keys; left out, or where it answers `None`, `Change.states`. `if_version`: as for `update`; raises
    `BadInputError` for more than a single id. `preview`: change nothing, and tell what would be."""
    if if_version is not None and not isinstance(which, str):
        raise BadInputError("if_version goes with a single id", "if_version")
    if not isinstance(preview, bool):
        raise BadInputError(f"preview must be True or False, not {preview!r:.50}", "preview")
    actor = checked_actor(actor)
    Authority(actor).check_manage()
    chosen = await _Chosen.of(parts, which)

    async def make(change: "Change", authority: Authority) -> _Sorted:
        if if_version is not None:
            check_id(chosen.ids[0])
            await key_to_change(change, authority, chosen.ids[0], if_version)
        ids, found = await chosen.states(change, authority)
        known: Mapping[str, Any] | None = None if read is None else await read(change, list(found))
        by_fate = _sorted(authority, ids, found if known is None else known, judge, is_single=isinstance(which, str))
        if by_fate.changed and not preview:
            await apply(change, by_fate.changed)
        return by_fate

    change, ids_by = await changed_by(parts, actor, make)
    if preview:
        untold = Propagation(complete=False, holds_from=None, seconds=0.0)
        receipt = Receipt(
            None, ids_by.changed, ids_by.unchanged, ids_by.unknown, untold, ids_by.denied, is_preview=True
        )
        return _checked_receipt(which, receipt)
    seq = change.seq if ids_by.changed else None
    receipt = await settled(
        parts,
        change,
        patience,
        lambda spread: Receipt(seq, ids_by.changed, ids_by.unchanged, ids_by.unknown, spread, ids_by.denied),
        changed=bool(ids_by.changed),
        known=bool(ids_by.changed or ids_by.unchanged),
    )
    return _checked_receipt(which, receipt)


def _sorted(
    authority: Authority,
    ids: Sequence[str],
    keys: Mapping[str, K],
    judge: Callable[[Authority, K], bool],
    *,
    is_single: bool,
) -> _Sorted:
    """What is to become of each key. Of a single one the refusal is raised."""
    changed, unchanged, unknown = list[str](), list[str](), list[str]()
    denied: dict[str, str] = {}
    for key_id in ids:
        if (key := keys.get(key_id)) is None:
            unknown.append(key_id)
            continue
        try:
            (changed if judge(authority, key) else unchanged).append(key_id)
        except (AccessDeniedError, ForceNeededError, PolicyError) as refusal:
            if is_single:
                raise
            denied[key_id] = str(refusal)
    return _Sorted(changed, unchanged, unknown, denied)


def _checked_receipt(which: str | Iterable[str] | Selection, receipt: Receipt) -> Receipt:
    """The receipt. Raises `KeyNotFoundError` where only one was asked for, as a plain text, and is unknown."""
    if receipt.unknown and isinstance(which, str):
        raise KeyNotFoundError(receipt.unknown)
    return receipt
