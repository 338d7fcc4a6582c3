"""The arguments that say who asks, and what a verb waits for."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, TypedDict

from gatepost.base import Actor
from gatepost.rules import Unset

Wait = Literal["everywhere", "commit"]
"""What a verb that takes something away waits for: that every worker acts on it, or only that it is committed."""


class How(TypedDict, total=False):
    """Who asks, and what the verb waits for. `actor`: a name for the audit log, or who may be limited; left out = the
    app itself. `wait`: left out = as the verb says. `timeout`: seconds from the call after which to stop waiting, with
    `StillSpreadingError`, while the change is committed; `None` = wait for as long as it takes."""

    actor: str | Actor
    wait: Wait
    timeout: float | None


class Edit(How, total=False):
    """What becomes of a key, and how. What is left out stays as it is. `if_version`: only while the key's `version` is
    still that one. `force`: also where it weakens the key that the actor uses."""

    description: str | None
    permissions: Iterable[str] | None
    expires_at: datetime | Unset | None
    if_version: str | None
    force: bool
