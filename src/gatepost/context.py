"""The request being served, for code that is not handed it."""

from contextvars import ContextVar

from gatepost.sources import Scope

current_scope: ContextVar[Scope | None] = ContextVar("gatepost_scope", default=None)
"""The scope of the request that the middleware let in: how `requires` finds it where a handler takes no request."""
