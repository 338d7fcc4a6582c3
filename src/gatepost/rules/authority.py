"""Who may do what to keys: the rules for actors that are not operators (docs/decisions/0006). Pure.

An actor reaches only keys of its own project, and of its own environment, and the others look as if there were none. It
looks with `ACCESS_READ` or `ACCESS_MANAGE`, changes with `ACCESS_MANAGE`, grants only what it holds itself, to be used
only from where its own key may be, and only as much as that, and weakens the key that it uses only with `force`. That
key, or the secret that it came with, it never gives a longer life. None of this limits an actor that says `operator`.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from gatepost.base import (
    NO_LIMITS,
    AccessDeniedError,
    Actor,
    ForceNeededError,
    KeyNotFoundError,
    Limits,
    at_most,
    covers,
    limit_text,
)

ACCESS_READ = "ACCESS_READ"
"""The permission to look at keys and at the audit log."""

ACCESS_MANAGE = "ACCESS_MANAGE"
"""The permission to change keys. Looking is part of it."""


class Subject(Protocol):
    """What the rules need to know of a key."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def project(self) -> str | None:
        """Its project, `None` = every one."""

    @property
    def environment(self) -> str | None:
        """What it is for, `None` = either environment."""

    @property
    def permissions(self) -> Set[str]:
        """What it may do."""

    @property
    def allow(self) -> Sequence[str] | None:
        """The networks that it may be used from, `None` = anywhere."""

    @property
    def limits(self) -> Limits:
        """How much it may be used."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What one actor may do. `has_old_secret`: it acts with a secret that was rotated out and still lives. `allow`: the
    networks that the key which acts may be used from; `None` = anywhere, or no key acts. `limits`: how much it may be
    used; none where no key acts."""

    actor: Actor
    has_old_secret: bool = False
    allow: Sequence[str] | None = None
    limits: Limits = NO_LIMITS

    @property
    def is_limited(self) -> bool:
        """Whether any rule applies; an operator may do everything."""
        return not self.actor.operator

    def reaches(self, subject: Subject) -> bool:
        """Whether the key exists, as far as the actor can tell."""
        return not self.is_limited or all(getattr(subject, name) == own for name, own in self.bounds.items())

    @property
    def bounds(self) -> Mapping[str, str]:
        """What a key that the actor reaches must have, by the name of the column."""
        mine = {"project": self.actor.project, "environment": self.actor.environment}
        return {name: own for name, own in mine.items() if own is not None and self.is_limited}

    def check_reach(self, subject: Subject) -> None:
        """Raise `KeyNotFoundError` for a key that the actor must not know of."""
        if not self.reaches(subject):
            raise KeyNotFoundError([subject.id])

    def check_look(self, key_id: str | None = None) -> None:
        """Raise `AccessDeniedError` unless the actor may look at keys, or at the key `key_id`: its own, always."""
        if not self.is_limited or self.actor.permissions & {ACCESS_READ, ACCESS_MANAGE}:
            return
        if key_id is None or key_id != self.actor.key_id:
            raise AccessDeniedError(f"Looking at keys needs {ACCESS_READ} or {ACCESS_MANAGE}", [ACCESS_READ])

    def check_manage(self) -> None:
        """Raise `AccessDeniedError` unless the actor may change keys."""
        if self.is_limited and ACCESS_MANAGE not in self.actor.permissions:
            raise AccessDeniedError(f"Changing keys needs {ACCESS_MANAGE}", [ACCESS_MANAGE])

    def check_policies(self, every: Set[str]) -> None:
        """Raise `AccessDeniedError` unless the actor may say what is asked of keys: a policy binds whoever sets it too,
        so only one that nothing binds otherwise, of every project and with `every` permission that there is."""
        if not self.is_limited:
            return
        self.check_manage()
        if self.bounds or (missing := every - self.actor.permissions):
            raise AccessDeniedError(
                "Changing policies needs every permission, and a key of every project and either environment",
                () if self.bounds else missing,
            )

    def check_project(self, project: str | None) -> None:
        """Raise `AccessDeniedError` for a new key in a project that the actor does not reach."""
        own = self.actor.project
        if self.is_limited and own is not None and project != own:
            wanted = "every project" if project is None else f"project {project!r}"
            raise AccessDeniedError(f"A key of project {own!r} cannot make one for {wanted}")

    def check_environment(self, environment: str | None) -> None:
        """Raise `AccessDeniedError` for a new key that is for more, or for other, than the actor's own."""
        own = self.actor.environment
        if self.is_limited and own is not None and environment != own:
            wanted = "either environment" if environment is None else f"{environment}"
            raise AccessDeniedError(f"A key for {own} cannot make one for {wanted}")

    def check_grant(self, permissions: Set[str]) -> None:
        """Raise `AccessDeniedError` where the actor would hand out what it does not hold."""
        missing = self._not_held(permissions)
        if missing:
            raise AccessDeniedError(
                f"Nobody grants what they do not hold: this needs {', '.join(sorted(missing))}", missing
            )

    def check_addresses(self, allow: Sequence[str] | None) -> None:
        """Raise `AccessDeniedError` where the actor would let a key be used from where its own may not be."""
        if self.is_limited and not covers(self.allow, allow):
            raise AccessDeniedError(
                f"A key that may be used from {', '.join(self.allow or ()) or 'nowhere'} alone cannot let another, or "
                "itself, be used from elsewhere"
            )

    def check_limits(self, limits: Limits) -> None:
        """Raise `AccessDeniedError` where the actor would let a key be used more than its own may be."""
        if self.is_limited and not at_most(limits, self.limits):
            raise AccessDeniedError(
                f"A key that is limited ({', '.join(map(limit_text, self.limits))}) cannot let another be used more: "
                "give it limits that are as strict"
            )

    def check_terms(self, subject: Subject, what: str = "limits") -> None:
        """Raise `AccessDeniedError` where a key would change its own terms: how much it may be used, whose it is, or
        what the app notes of it."""
        if self.is_limited and subject.id == self.actor.key_id:
            raise AccessDeniedError(f"A key cannot change its own {what}: ask somebody else who manages keys")

    def check_hand_out(self, subject: Subject) -> None:
        """Raise `AccessDeniedError` where the actor would bring to life, or be told a secret of, a key that may do more
        than it may itself."""
        self.check_grant(subject.permissions)
        self.check_addresses(subject.allow)
        self.check_limits(subject.limits)

    def check_own(self, subject: Subject, *, force: bool) -> None:
        """Raise `ForceNeededError` where the actor would weaken the key that it uses, without saying `force`."""
        if subject.id == self.actor.key_id and not force:
            raise ForceNeededError(f"Key {subject.id} is the one you are using: say force if you mean it")

    def check_own_secret(self, subject: Subject, *, force: bool) -> None:
        """Raise `ForceNeededError` where the actor would end the older secret that it uses, without saying `force`."""
        if self.has_old_secret:
            self.check_own(subject, force=force)

    def check_longer_life(self, subject: Subject) -> None:
        """Raise `AccessDeniedError` where the actor would let the key that it uses live longer: it does not hold that
        time, so it cannot give it."""
        if subject.id == self.actor.key_id:
            raise AccessDeniedError(f"Key {subject.id} is the one you are using: it cannot give itself a longer life")

    def check_current_secret(self, subject: Subject) -> None:
        """Raise `AccessDeniedError` where the actor would be told the current secret, or a new one, of the key that it
        uses with an older secret, whose time is soon over."""
        if self.has_old_secret and subject.id == self.actor.key_id:
            raise AccessDeniedError(
                f"You are using an older secret of key {subject.id}, which ends soon: it cannot get you one that lives "
                "longer. Use the current one"
            )

    def _not_held(self, permissions: Set[str]) -> Set[str]:
        return frozenset(permissions) - self.actor.permissions if self.is_limited else frozenset()
