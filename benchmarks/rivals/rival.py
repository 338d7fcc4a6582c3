"""What is compared: an app behind one way of checking API keys, how its keys are made, and what it leaves out."""

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROUTE = "/objects"
"""The route that every app has. It answers `ANSWER` as JSON."""

SOCKET = "/socket"
"""A WebSocket route of the Starlette apps: it accepts, and closes."""

ANSWER = ["sunset.jpg"]

PERMISSION = "OBJECTS_LIST"
"""What a key needs for the route, where the rival knows permissions."""

VARIABLE = "BENCHMARK_RIVAL"
"""The environment variable that configures an app: a JSON object, such as `{"database": "postgresql+asyncpg://…"}`."""


Guard = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Decorates a handler, so that it checks permissions."""


def unguarded(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A guard that lets everybody in."""
    return handler


Secrets = Mapping[str, str]
"""What clients send, by its kind. `usable` is let in; all else is refused.

`unknown`: of a key that was deleted. `invented`: of the same form, made up. `deactivated`: of a key that is switched
off (revoked, where that is the rival's word); not there where the rival knows nothing of the kind.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What a contestant may use, for itself alone. `database`: of an empty PostgreSQL database, in SQLAlchemy's form,
    for asyncpg. `redis`: of an empty Redis database. `folder`: for files."""

    database: str
    redis: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Keys that were made. `settings`: of the app that is to check them, for `VARIABLE`."""

    secrets: Secrets
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rival:
    """One contestant. `app`: `module:factory` of its ASGI app.

    `scheme`: of the `Authorization` header. `slow`: kinds of secrets, `usable` among them, which take it so long that a
    turn must be long, and is not repeated. `note`: what it does less than gatepost, or does otherwise.
    """

    name: str
    framework: str
    app: str
    prepare: Callable[[Stores], Awaitable[Prepared]]
    note: str = ""
    scheme: str = "Bearer"
    slow: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """Its name among contestants of all frameworks."""
        return self.name if self.framework == "Starlette" else f"{self.name} ({self.framework})"

    def header(self, secret: str) -> str:
        """The value of the `Authorization` header that carries a secret."""
        return f"{self.scheme} {secret}"


def settings() -> dict[str, Any]:
    """Of the app that this process serves. Raises `KeyError` where there are none."""
    found: dict[str, Any] = json.loads(os.environ[VARIABLE])
    return found
