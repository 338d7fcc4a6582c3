"""An edit of a key: what is new by it, what it gives and takes away, and who may make it."""

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gatepost.base import (
    NO_LIMITS,
    APIKey,
    Limits,
    at_most,
    by_roles_text,
    covers,
    covers_granted,
    limit_as_json,
    metadata_text,
    narrowed,
    networks_text,
    resources_text,
    stored_limits,
)
from gatepost.keys.changing.grants import own_permissions
from gatepost.keys.given import joined
from gatepost.limits import buckets_of
from gatepost.rules import Authority

if TYPE_CHECKING:
    from gatepost.database import KeyEdit


def check_edit(
    authority: Authority, before: APIKey, after: APIKey, *, force: bool, by_role: Set[str] = frozenset()
) -> None:
    """Raise `AccessDeniedError`, `ForceNeededError` where the actor may not make this of the key. `by_role`: what a
    role gives it anew, whatever it has already. Who gives anything anew must be bound no more than the key is: it stays
    when what the key had it by is taken away."""
    if not authority.is_limited and authority.actor.key_id is None:  # who may everything: many are edited at once
        return
    for name in new_values(before, after, TERMS):
        authority.check_terms(before, name)
    given = _given(before, after) | by_role
    authority.check_grant(given)
    if given or _is_wider(before, after):
        authority.check_addresses(after.allow)
        authority.check_limits(after.limits)
    if _is_longer(before, after):
        authority.check_longer_life(before)
    if takes_away(before, after):
        authority.check_own(before, force=force)


def key_edit(before: APIKey, after: APIKey, *, role: str | None = None, ids: Sequence[str] | None = None) -> "KeyEdit":
    """What is new: columns, and what the event tells; `role`: by whose edit; `ids`: of all keys that it is the same
    for, `None` = of this one."""
    from gatepost.database import KeyEdit  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    new = new_values(before, after, _EDITED)
    detail: dict[str, Any] = {
        name: {"old": _plain(getattr(before, name)), "new": _plain(getattr(after, name))} for name in new
    }
    if role is not None:
        detail["role"] = role
    return KeyEdit(ids or [before.id], before, after, {name: _stored(after, name) for name in new}, detail)


def new_values(before: APIKey, after: APIKey, names: Sequence[str]) -> Sequence[str]:
    """What is stored otherwise than before: to Python 1, 1.0 and True are equal, in JSON they are not."""
    return [name for name in names if _stored(before, name) != _stored(after, name)]


def _stored(key: APIKey, name: str) -> Any:
    value = getattr(key, name)
    return _COLUMNS[name](value) if name in _COLUMNS else value


TERMS = ("limits", "owner", "metadata")
"""What a key cannot change of itself: how much it may be used, who is charged for it, what the app believes of it."""

_GRANTED = ("permissions", "roles", "own_permissions", "resources", "role_resources")
_EDITED = ("description", *_GRANTED, "expires_at", "allow", "template", *TERMS)

_COLUMNS: Mapping[str, Callable[[Any], Any]] = {
    "permissions": lambda names: joined(sorted(names)),
    "roles": lambda names: joined(names) if names else None,
    "own_permissions": lambda names: None if names is None else joined(sorted(names)),
    "allow": networks_text,
    "limits": stored_limits,
    "metadata": metadata_text,
    "resources": resources_text,
    "role_resources": by_roles_text,
}
"""What is stored of a field, where that is something else."""


def _given(before: APIKey, after: APIKey) -> frozenset[str]:
    """The permissions that an edit hands out: those added, also to its own where a role gave them, and all where what
    the key has is to be worth more."""
    if _is_wider(before, after):
        return after.permissions
    return (after.permissions - before.permissions) | (own_permissions(after) - own_permissions(before))


def _is_wider(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key be used longer, from more places, on more, or more often, or a template by others."""
    if before.template != after.template or not covers_granted(before.granted, _kept(before, after)):
        return True
    is_within = covers(before.allow, after.allow) and _goes_on(before, after)
    return _is_longer(before, after) or not is_within


def _kept(before: APIKey, after: APIKey) -> frozenset[str]:
    """What of the permissions that a key had before it has after."""
    return narrowed(after.granted, before.permissions, None)


def _goes_on(before: APIKey, after: APIKey) -> bool:
    """Whether each limit of a key binds it still, as strictly, with all that it has counted: by another name, or as
    another rate, it begins anew. A stricter rate is put beside it."""
    kept = {bucket.name: Limits([bucket.limit]) for bucket in buckets_of("key", after.id, after.limits)}
    of_before = buckets_of("key", before.id, before.limits)
    return at_most(after.limits, before.limits) and all(
        at_most(kept.get(bucket.name, NO_LIMITS), Limits([bucket.limit])) for bucket in of_before
    )


def _is_longer(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key live longer."""
    return before.expires_at is not None and (after.expires_at is None or after.expires_at > before.expires_at)


def takes_away(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key do less, for a shorter time, or from fewer places; or other terms hold for it, and
    are to hold everywhere."""
    if new_values(before, after, (*TERMS, "template")):
        return True
    if not covers_granted(after.granted, before.granted) or not covers(after.allow, before.allow):
        return True
    return after.expires_at is not None and (before.expires_at is None or after.expires_at < before.expires_at)


def _plain(value: Any) -> Any:
    """A value of a key as JSON has it."""
    if isinstance(value, tuple) and not isinstance(value, Limits):
        return [*value]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Limits):
        return [*map(limit_as_json, value)]
    return value.isoformat() if isinstance(value, datetime) else value
