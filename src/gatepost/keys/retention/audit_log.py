"""`AuditLog`: the audit log as a whole, exported and checked."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from datetime import datetime

from gatepost.base import AccessDeniedError, Actor, BadInputError
from gatepost.base.trail import FileCheck, LogCheck
from gatepost.keys.parts import Parts
from gatepost.rules import UNNAMED, checked_actor, checked_bound


class AuditLog:
    """The chain over the audit log: each change has a hash of its lines and of the hash before it, under a key that is
    derived from the first server key. Workers seal a few seconds after a change. For operators only: every verb raises
    `AccessDeniedError`, and `UnavailableError`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def seal(self, *, actor: str | Actor = UNNAMED) -> None:
        """Seal now what no worker has sealed yet. Transactions of about 200 lines, for which no change waits. `actor`:
        who asks; left out = the app itself. Raises `AccessDeniedError`, `UnavailableError`."""
        _check(actor)
        opened = self._parts.opened()
        while await opened.database.chain.seal(opened.sealing.links, LINES):
            opened = self._parts.opened()

    async def verify(self, *, actor: str | Actor = UNNAMED) -> LogCheck:
        """Whether the log is as it was sealed: no line altered, none taken out, none put in. Reads all of it, 2,000
        lines at a time, and writes nothing. A log that was cut off at its end, with its chain and its counter, is told
        from a whole one by an export that goes further alone (`verify_export`). `actor`: who asks; left out = the app
        itself. Raises `AccessDeniedError`, `UnavailableError`."""
        _check(actor)
        opened = self._parts.opened()
        return await opened.database.chain.check(opened.sealing.links)

    async def export(
        self,
        *,
        first: int | None = None,
        last: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        actor: str | Actor = UNNAMED,
    ) -> AsyncIterator[bytes]:
        """The lines of the log, oldest first, each as JSON with a newline: what pruning has not taken out yet, sealed
        now where it was not. Whole changes, in their order, with none left out, so that `verify_export` can check them.

        `first`, `last`: from that change on, up to that one. `since`, `until`: aware; from the one on and before the
        other, and up to a minute around. `None` does not matter. `actor`: who asks; left out = the app itself. Raises
        `BadInputError`. 2,000 lines at a time.
        """
        from gatepost.database import LogRange  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        wanted = LogRange(
            _checked_seq("first", first),
            _checked_seq("last", last),
            checked_bound("since", since),
            checked_bound("until", until),
        )
        await self.seal(actor=actor)
        async for line in self._parts.database.chain.export(wanted):
            yield line

    async def verify_export(
        self, lines: Iterable[bytes | str] | AsyncIterable[bytes | str], *, actor: str | Actor = UNNAMED
    ) -> LogCheck:
        """Whether exported `lines`, bytes of JSON each, are as they were exported, and the database goes on from where
        they end. `actor`: who asks; left out = the app itself. Raises `BadInputError` for a line that is none of an
        export. A few statements."""
        _check(actor)
        opened = self._parts.opened()
        of_file = FileCheck(opened.sealing.links)
        if isinstance(lines, AsyncIterable):
            async for line in lines:
                of_file.add(line)
        else:
            for line in lines:
                of_file.add(line)
        check = of_file.end()
        if of_file.tail is None:
            raise BadInputError("The file has no lines, so there is nothing to verify")
        check.continues = await opened.database.chain.tail(of_file.tail)
        if check.continues is False:
            check.add("elsewhere", of_file.tail.seq)
        return check


LINES = 200
"""Sealed at once."""


def _check(actor: str | Actor) -> None:
    if not checked_actor(actor).operator:
        raise AccessDeniedError("Only an operator can export, verify or seal the audit log")


def _checked_seq(name: str, seq: int | None) -> int | None:
    if seq is not None and (type(seq) is not int or not 0 <= seq < 1 << 63):
        raise BadInputError(f"{name} must be the number of a change, 0 or more, not {seq!r:.50}", name)
    return seq
