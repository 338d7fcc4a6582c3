"""What becomes of a secret that was found where others can read it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from gatepost.base.models import Issued

LeakResponse = Literal["deactivate", "rotate", "notify"]
"""What to do about a leaked secret. `deactivate`: switch its key off. `rotate`: give the key another secret, and end
this one at once. `notify`: only tell, in the audit log."""

LEAK_RESPONSES: Sequence[str] = get_args(LeakResponse)

LeakDone = Literal["deactivated", "rotated", "grace_ended", "noted", "nothing"]
"""What was done. `grace_ended`: it was the key's older secret, which has ended; the key goes on with its current one.
`noted`: nothing but the line in the log. `nothing`: the same find was told before."""

PLACE_MAX = 500
SOURCE_MAX = 100
"""Longest texts of a find, in characters."""


@dataclass(frozen=True, slots=True)
class Leak:
    """What a report of a leaked secret did. `key_id`: of the key that has the secret. `issued`: its new secret, where
    it was rotated. The repr hides it."""

    key_id: str
    done: LeakDone
    issued: Issued | None = field(default=None, repr=False)
