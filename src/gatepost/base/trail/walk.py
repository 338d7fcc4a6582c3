"""From link to link: whether each change is as it was sealed, and follows the one before."""

import hmac

from gatepost.base.trail.check import LogCheck
from gatepost.base.trail.links import Content, Link, Links

INVALIDATED = "invalidated"
"""The kind of the one change before which numbers may be left out."""


class Walk:
    """A way along the chain. `at`, `hash`: the change to begin after, and its hash. `is_gapless`: whether every number
    has its change; not where pruning has kept a few."""

    def __init__(self, links: Links, check: LogCheck, at: int, before: bytes, *, is_gapless: bool) -> None:
        self._links = links
        self._check = check
        self._is_gapless = is_gapless
        self.at = at
        self.hash = before

    def step(self, link: Link, content: Content | None, kind: str | None) -> None:
        """The next link, with what there is of its change: `None` = nothing, or its key is not here. `kind`: of its
        first line, `None` = it has none. A wrong one is told, and the way goes on from what it says: so those behind
        it are checked too."""
        check, before = self._check, self.hash
        leaves_out = link.seq - self.at > 1 and self._is_gapless
        if leaves_out and kind != INVALIDATED:
            check.add("missing", self.at + 1, link.seq - 1)
        if kind is None:
            check.add("missing", link.seq)
        elif content is None:
            check.unchecked += 1
            check.keys.add(link.sealed_by)
        elif not hmac.compare_digest(content.hash_after(before), link.hash) and not (
            leaves_out and kind != INVALIDATED
        ):
            check.add("altered", link.seq)
        if content is not None:
            check.changes += 1
            check.lines += content.lines
        self.at, self.hash = link.seq, link.hash
