"""The arguments that say which keys are meant. Loads no SQLAlchemy, as what checks them does (`Selection`)."""

from datetime import datetime
from typing import TypedDict

from gatepost.base import State


class Which(TypedDict, total=False):
    """The arguments that say which keys are meant. `None` and `False` say nothing."""

    project: str | None
    company_wide: bool
    active: bool | None
    state: State | str | None
    permission: str | None
    no_permissions: bool
    search: str | None
    expires_before: datetime | None
    never_expires: bool
    expires_within: float
