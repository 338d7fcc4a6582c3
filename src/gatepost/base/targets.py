"""What is known of a target of `Webhooks`, to who counts it and to who tells of it."""

from dataclasses import dataclass

TARGET_MAX = 50
"""Longest name of a target, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """A target of `Webhooks`, as its row tells. `stopped`: why nothing is sent there, `None` = it is. `waiting`:
    messages on their way, the oldest for `oldest_seconds`. `dead`: given up. `behind`: changes that are not even
    queued. `silent_seconds`: for how long nobody has delivered, 0 = somebody does."""

    name: str
    stopped: str | None
    waiting: int
    oldest_seconds: float
    dead: int
    behind: int
    silent_seconds: float
