"""Who may come in: whoever holds a session, or whom the host app lets in."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Protocol, Self

from starlette.requests import Request

from gatepost.admin.entry import session
from gatepost.admin.entry.client import address_of
from gatepost.admin.entry.cookies import name_of
from gatepost.admin.entry.session import Session, Sessions
from gatepost.base import Actor, ActorKind, APIKey, ConfigurationError, Outcome, Presented, digest
from gatepost.keys import APIKeys

SESSION_PURPOSE = "admin session"
"""Names the derived keys that the cookie is sealed under."""

Authorize = Callable[[Request], Actor | Awaitable[Actor | None] | None]
"""The host app's say: who acts, `None` = nobody who may."""

OnSignIn = Callable[[APIKey], Awaitable[None]]
"""Is told of the key with which somebody has signed in."""

ENDED = {
    Outcome.DEACTIVATED: "You were signed out: the key that you used has been deactivated.",
    Outcome.EXPIRED: "You were signed out: the key that you used, or its secret, has expired.",
    Outcome.INVALID: "You were signed out: the key that you used was deleted, or its secret was replaced.",
    Outcome.ENVIRONMENT_DENIED: "You were signed out: the key that you used is for another environment.",
    Outcome.ORIGIN_DENIED: "You were signed out: the temporary secret that you used is for web pages of other origins.",
    Outcome.SUBJECT_DENIED: "You were signed out: the temporary secret that you used was issued for somebody else.",
    Outcome.ADDRESS_DENIED: "You were signed out: the key that you used may not be used from where you are.",
}
_OVER = "You were signed out, because the page was not used for a while. Sign in again."


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who may be here. `session`: where there is one. `title`: the description of the key that they use."""

    actor: Actor
    session: Session | None = None
    title: str | None = None

    @classmethod
    def of(cls, key: APIKey, session: Session, address: str | None) -> Self:
        """Somebody who signed in with a secret of `key`."""
        return cls(Actor.of(key, address, digest(session.secret.encode())), session, key.description)

    @property
    def identity(self) -> str:
        """What forms are bound to: the secret's digest, or whom the host app named."""
        if self.session is None:
            return f"{self.actor.kind} {self.actor.identity}"
        return f"digest {digest(self.session.secret.encode()).hex()}"


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who has to sign in first. `reason`: why their session is over, where they had one."""

    reason: str | None = None


class Entrance(Protocol):
    """Decides on each request anew. `None`: not allowed, and signing in would not help. Raises `UnavailableError`."""

    async def admit(self, request: Request) -> Guest | Stranger | None:
        """Who sent this."""


class SessionEntrance:
    """For those who signed in with a key that can still be used."""

    def __init__(self, keys: APIKeys, sessions: Sessions) -> None:
        self._keys = keys
        self._sessions = sessions

    async def admit(self, request: Request) -> Guest | Stranger | None:
        """Judge the secret that the session began with as if it had been sent now."""
        cookie = request.cookies.get(name_of(session.COOKIE, request.scope["scheme"]))
        if cookie is None:
            had_one = name_of(session.MARK, request.scope["scheme"]) in request.cookies
            return Stranger(_OVER if had_one else None)
        found = self._sessions.read(self._keys.derived_keys(SESSION_PURPOSE), cookie, time.time())
        if found is None:
            return Stranger(_OVER)
        address = address_of(request)
        outcome, key = await self._keys.judge_presented(Presented(found.secret.encode(), address=address))
        if outcome is not Outcome.VALID or key is None:
            return Stranger(ENDED[outcome])
        return Guest.of(key, found, address)


class AuthorizedEntrance:
    """For those whom the host app lets in."""

    def __init__(self, authorize: Authorize) -> None:
        self._authorize = authorize

    async def admit(self, request: Request) -> Guest | Stranger | None:
        """Ask the host app. Raises `ConfigurationError` for an answer that says neither who nor nobody."""
        answer = self._authorize(request)
        actor: object = await answer if isawaitable(answer) else answer
        if actor is None:
            return None
        if not isinstance(actor, Actor):
            raise ConfigurationError(
                "authorize= must answer Actor(name, id=..., project=..., permissions=...), or None for nobody who may, "
                f"not a {type(actor).__name__}"
            )
        if actor.kind is ActorKind.OPERATOR:  # whom nothing limits, but a person all the same: of the name's choosing
            actor = replace(actor, id=actor.name)
        return Guest(replace(actor, address=actor.address or address_of(request)))
