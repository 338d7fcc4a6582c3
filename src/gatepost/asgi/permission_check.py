"""Whether a caller may use a route: the one place where that is decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatepost.asgi.current import note_refusal, serving
from gatepost.asgi.responses import Problem, denied
from gatepost.asgi.sources import Scope
from gatepost.asgi.touched import Touched
from gatepost.base import ConfigurationError, Granted, Outcome

if TYPE_CHECKING:
    from gatepost.rules import Catalogue

_NONE: Mapping[str, Any] = {}
_NOBODY_LOOKED = "requires() found no permissions: wrap the app in gatepost.APIKeyMiddleware"


@dataclass(frozen=True, slots=True)
class PermissionCheck:
    """All of `all_of`, and one of `any_of` if there are any. `touched`: what they must hold on; `None` = on everything,
    since nothing is told."""

    all_of: frozenset[str]
    any_of: frozenset[str]
    touched: Touched | None = None

    def judge(self, scope: Scope | None, arguments: Mapping[str, Any] = _NONE) -> Problem | None:
        """The refusal, or `None`, for a call that serves `scope`. `arguments`: as for `Touched.by`; asked for only
        where the caller has not got the permission on everything.

        Raises `ConfigurationError` where no middleware has put permissions into the scope, and where it would refuse
        every key: the catalogue of the keys that let the call in does not have what it asks for.
        """
        permissions = None if scope is None else scope.get("permissions")
        if not isinstance(permissions, frozenset):
            raise ConfigurationError(_NOBODY_LOOKED)
        if self.all_of <= permissions and (not self.any_of or self.any_of & permissions):
            return None
        held = self._held_here(permissions, scope or {}, arguments) if isinstance(permissions, Granted) else permissions
        if not self.all_of <= held:
            self._check_possible(permissions)
            note_refusal(Outcome.PERMISSION_DENIED)
            return denied(self.all_of, self.all_of - held, any_of=False)
        if self.any_of and not self.any_of & held:
            self._check_possible(permissions)
            note_refusal(Outcome.PERMISSION_DENIED)
            return denied(self.any_of, self.any_of, any_of=True)
        return None

    def may_let_in(self, scope: Scope | None) -> bool:
        """Whether some call of the caller that `scope` tells of might be let in: what is held on some resources counts
        as held. Nobody is refused by it, so nothing is noted. Raises `ConfigurationError` without permissions."""
        permissions = None if scope is None else scope.get("permissions")
        if not isinstance(permissions, frozenset):
            raise ConfigurationError(_NOBODY_LOOKED)
        held = permissions.union(permissions.limited) if isinstance(permissions, Granted) else permissions
        return self.all_of <= held and (not self.any_of or not self.any_of.isdisjoint(held))

    def impossible(self, catalogue: "type[Catalogue]") -> frozenset[str]:
        """What no key of the catalogue can be given of what this asks for; none, where some key can be let in."""
        foreign = self.all_of.difference(catalogue)
        return foreign | self.any_of if self.any_of and self.any_of.isdisjoint(catalogue) else foreign

    def _held_here(self, permissions: Granted, scope: Scope, arguments: Mapping[str, Any]) -> frozenset[str]:
        """What the caller holds on all that the call touches: what cannot be told is everything."""
        resources = None if self.touched is None else self.touched.by(scope, arguments)
        if resources is None:
            return permissions
        return permissions.union(permissions.limited).intersection(*map(permissions.on, resources))

    def _check_possible(self, permissions: frozenset[str]) -> None:
        """Raise `ConfigurationError` where no key could be given what the route asks for. Before a call nothing knows
        both route and keys, and a call that is let in pays nothing for it."""
        served = serving()
        if not served or served[0].get("permissions") is not permissions:
            return  # put there by somebody else
        catalogue: type[Catalogue] = served[1].catalogue
        if foreign := self.impossible(catalogue):
            raise ConfigurationError(
                f"requires() asks for {', '.join(sorted(foreign))}, which no key can be given: the keys' catalogue "
                f"{catalogue.__name__} does not have it. Name one that it has, or give APIKeys the catalogue with it "
                "(catalogue=...)"
            )
