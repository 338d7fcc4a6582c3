"""The permissions of a key, where some hold on certain resources alone.

The set itself has those that hold everywhere. So whoever asks it, or Starlette's `request.auth.scopes`, without naming
a resource is told nothing that does not hold for what they do: what is limited is there for those who name it.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Self

import orjson

from gatepost.base.resources.resource import (
    Resources,
    checked_resources,
    normal_resource,
    reaches,
    resources_of,
    within_resources,
)

Bounds = tuple[Resources, ...]
"""What a permission is limited to: to what all of these reach."""

NOTHING: Mapping[str, Bounds] = {}


class Granted(frozenset[str]):
    """The permissions that hold on every resource. `limited`: those that hold on some, with the resources; a resource
    must be in each of these. `resources`: those that all of them were limited to last; `None` = some roles' alone."""

    __slots__ = ("limited", "resources")

    limited: Mapping[str, Bounds]
    resources: Resources | None

    def __new__(
        cls,
        everywhere: Iterable[str] = (),
        limited: Mapping[str, Bounds] = NOTHING,
        resources: Resources | None = None,
    ) -> Self:
        """As said of the class."""
        made = super().__new__(cls, everywhere)
        made.limited = limited
        made.resources = resources
        return made

    def __eq__(self, other: object) -> bool:
        """Whether the same holds on the same: what is remembered by permissions must tell them apart."""
        if not isinstance(other, Granted):
            return not self.limited and self.resources is None and frozenset.__eq__(self, other)
        of_both = (self.limited, self.resources) == (other.limited, other.resources)
        return of_both and frozenset.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        """The opposite: a set's own asks only for what is in it."""
        return not self == other

    def __hash__(self) -> int:
        """As that of a plain set, where it equals one."""
        own = frozenset.__hash__(self)
        return hash((own, frozenset(self.limited.items()))) if self.limited else own

    def on(self, resource: str) -> frozenset[str]:
        """Those that hold on a resource, which may be in any form; of one that nobody can tell, those that hold
        everywhere."""
        normal = normal_resource(resource)
        if normal is None:
            return frozenset(self)
        there = (name for name, bounds in self.limited.items() if all(reaches(each, normal) for each in bounds))
        return self.union(there)


def names_of_granted(permissions: frozenset[str]) -> frozenset[str]:
    """All names, whether they hold everywhere or not."""
    return frozenset(permissions | permissions.limited.keys()) if isinstance(permissions, Granted) else permissions


def bounds_of(permissions: frozenset[str], name: str) -> Bounds | None:
    """What one of the permissions is limited to; `None` = it is not there."""
    if name in permissions:
        return ()
    return permissions.limited.get(name) if isinstance(permissions, Granted) else None


def granted(
    names: frozenset[str], resources: Resources | None, by_roles: Mapping[str, Resources] = {}
) -> frozenset[str]:
    """The permissions `names` of a key: `resources`: of all of them; `None` = every one. `by_roles`: of those that the
    key has by roles alone which have resources."""
    if resources is None and not by_roles:
        return names
    own = () if resources is None else (resources,)
    return _bounded({name: (*own, by_roles[name]) if name in by_roles else own for name in names}, resources)


def narrowed(permissions: frozenset[str], names: frozenset[str], resources: Resources | None) -> frozenset[str]:
    """Of `permissions` those in `names`, on what `resources` reach of theirs."""
    if resources is None and not isinstance(permissions, Granted):
        return permissions & names
    own = () if resources is None else (resources,)
    bounds = {name: (*(bounds_of(permissions, name) or ()), *own) for name in names_of_granted(permissions) & names}
    told = permissions.resources if resources is None and isinstance(permissions, Granted) else resources
    return _bounded(bounds, told)


def _bounded(bounds: Mapping[str, Bounds], resources: Resources | None) -> Granted:
    limited = {name: each for name, each in bounds.items() if each}
    return Granted(bounds.keys() - limited.keys(), limited, resources)


def covers_granted(outer: frozenset[str], inner: frozenset[str]) -> bool:
    """Whether whatever `inner` lets a key do `outer` lets it do as well. `False` also where that only cannot be told
    bound by bound."""
    return all(covers_permission(outer, inner, name) for name in names_of_granted(inner))


def covers_permission(outer: frozenset[str], inner: frozenset[str], name: str) -> bool:
    """The same of one permission."""
    within, of_outer = bounds_of(inner, name), bounds_of(outer, name)
    if within is None:
        return True
    return of_outer is not None and all(any(within_resources(each, bound) for each in within) for bound in of_outer)


def by_roles_text(by_roles: Mapping[str, Resources]) -> str | None:
    """What is stored: a JSON object; `None` = empty."""
    return orjson.dumps(by_roles, option=orjson.OPT_SORT_KEYS).decode() if by_roles else None


def by_roles_of(text: str | None, names: Iterable[str]) -> Mapping[str, Resources]:
    """What is stored there. What somebody has written by hand and wrongly holds on nothing: of that permission, or of
    all `names`."""
    if text is None:
        return {}
    try:
        told: Any = orjson.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return dict.fromkeys(names, ())
    return {name: _readable(each) for name, each in told.items()}


def _readable(told: Any) -> Resources:
    try:
        return checked_resources(told, None) or ()  # of several roles together
    except ValueError:  # BadInputError is one
        return ()


@lru_cache(maxsize=4096)
def granted_of(names: str, resources: str | None, by_roles: str | None) -> frozenset[str]:
    """The permissions that three columns tell of."""
    split = frozenset(names.split())
    return granted(split, resources_of(resources), by_roles_of(by_roles, split))
