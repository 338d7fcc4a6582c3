"""`Caller`: what `scope["user"]` is where others may have to write to it."""

from typing import Any

from starlette.authentication import BaseUser

from gatepost.base import Credentials

NO_PERMISSIONS: frozenset[str] = frozenset()
NO_CREDENTIALS = Credentials()


class Caller(BaseUser):
    """The user of one WebSocket, or of one request without a key: the scope's own, so that what is written to it is
    seen by nobody else. It tells what the user that it wraps does, a key or nobody, and is equal to that.

    Django Channels' `AuthMiddleware` puts a user of its own into `_wrapped`: then it is that user.
    """

    def __init__(self, user: BaseUser) -> None:
        self._wrapped: Any = user

    def __getattr__(self, name: str) -> Any:
        if name == "_wrapped":  # while it is copied, say, it has none yet
            raise AttributeError(name)
        return getattr(self._wrapped, name)

    def __eq__(self, other: object) -> bool:
        return bool(self._wrapped == (other._wrapped if isinstance(other, Caller) else other))

    def __hash__(self) -> int:
        return hash(self._wrapped)

    def __repr__(self) -> str:
        return f"Caller({self._wrapped!r})"

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody has proved who they are."""
        return bool(self._wrapped.is_authenticated)

    @property
    def display_name(self) -> str:
        """The name for people (Starlette's `BaseUser`)."""
        return str(self._wrapped.display_name)

    @property
    def identity(self) -> str:
        """The key's id (Starlette's `BaseUser`)."""
        return str(self._wrapped.identity)
