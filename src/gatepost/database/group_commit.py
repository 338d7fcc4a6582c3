"""Changes that are asked for at the same time are made in one transaction, one after another.

    ask ─┐               ┌─ none is under way: when the loop's turn ends ─┐
    ask ─┼─> they wait ──┤                                                ├─> one transaction ─> an answer to each
    ask ─┘               └─ one is: when that has ended ──────────────────┘

Nobody waits for others to come: a group is who came in one turn of the loop, or while the group before was in the
database. What each would have got alone, it gets here (docs/decisions/0047).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from gatepost.base import Actor, UnavailableError, UncertainCommitError

T = TypeVar("T")

GROUP_MAX = 128
"""Most changes in one transaction: it holds the counter's row, for which other processes wait."""


class Making(Protocol):
    """What a group asks of a change that is being made."""

    seq: int

    @property
    def has_events(self) -> bool:
        """Whether it has changed anything."""
        ...

    @property
    def needs_rollback(self) -> bool:
        """Whether only a rollback undoes it: it has written, or its transaction is broken."""
        ...

    def keep(self) -> None:
        """It is to be committed with the others of its transaction."""
        ...


C = TypeVar("C", bound=Making)


class NobodyKnowsError(Exception):
    """COMMIT got no answer, and the database does not tell whether it was made."""


class Asked(Generic[C]):
    """One change that somebody waits for. `change`, `answer`, `failure`: of the last time it was made; no `change` = it
    was not begun. `is_withdrawn`: nobody waits for it any more. `ended`: done with the group."""

    def __init__(self, actor: Actor | None, make: Callable[[C], Awaitable[Any]], ended: asyncio.Future[None]) -> None:
        self.actor = actor
        self.make = make
        self.ended = ended
        self.group: Group[C] | None = None
        self.change: C | None = None
        self.answer: Any = None
        self.failure: Exception | None = None
        self.is_withdrawn = False

    def end(self, failure: Exception | None = None) -> None:
        """It is as it will be. `failure`: of the whole group."""
        if isinstance(failure, NobodyKnowsError) and self.change is not None:
            uncertain = UncertainCommitError(
                f"The database went away while change {self.change.seq} was being committed, and cannot be asked "
                "whether it was made: do it again",
                self.change.seq,
            )
            uncertain.__cause__ = failure
            failure = uncertain
        if failure is not None:
            self.failure = failure
        if not self.ended.done():
            self.ended.set_result(None)

    def note(self) -> str | None:
        """What became of it, for who has been cancelled; `None` = nothing was changed."""
        if self.group is None or self.change is None or not self.change.has_events:
            return None
        if self.group.is_committed is None:
            return f"gatepost: change {self.change.seq} may be committed: its connection was lost"
        return f"gatepost: change {self.change.seq} is committed" if self.group.is_committed else None


class Group(Generic[C]):
    """Changes that share a transaction. `is_spoilt`: it failed for what one of them did, not for the database;
    `spoiler`: which, if that is known. `is_committed`: `None` = COMMIT was sent, and no answer came yet."""

    def __init__(self, asked: Sequence[Asked[C]]) -> None:
        self.asked = asked
        self.spoiler: Asked[C] | None = None
        self.is_spoilt = False
        self.is_committed: bool | None = False
        for each in asked:
            each.group = self

    async def make(self, begin: Callable[[Actor | None], C]) -> None:
        """Make each change in turn. `begin`: gives one that follows those kept so far. One that fails before it has
        written anything leaves no trace. Raises what one raises that has, or whose statement failed: then all of them
        must be rolled back."""
        self.spoiler, self.is_spoilt = None, False
        for asked in self.asked:
            asked.change, asked.failure = None, None
            if asked.is_withdrawn:
                continue
            change = asked.change = begin(asked.actor)
            try:
                asked.answer = await asked.make(change)
            except Exception as failure:
                if change.needs_rollback:
                    self.spoiler, self.is_spoilt = asked, True
                    raise
                asked.failure = failure
            else:
                change.keep()

    def apart(self) -> Iterable[Sequence[Asked[C]]]:
        """The groups to go on with after this one was spoilt: the rest, and then the spoiler alone; or each alone."""
        if self.spoiler is None:
            return [[each] for each in self.asked]
        return [[each for each in self.asked if each is not self.spoiler], [self.spoiler]]


class GroupCommit(Generic[C]):
    """Makes groups, one after another. `commit(group)`: has the group make its changes in a transaction, and commits;
    raises what is to be every member's failure, unless the group `is_spoilt`. For one event loop."""

    def __init__(self, commit: Callable[[Group[C]], Awaitable[None]]) -> None:
        self._commit = commit
        self._waiting: deque[Asked[C]] = deque()
        self._under_way: Sequence[Asked[C]] = ()
        self._task: asyncio.Task[None] | None = None
        self._is_due = False

    async def ask(self, actor: Actor | None, make: Callable[[C], Awaitable[T]]) -> tuple[C, T]:
        """The change that `make` was given, committed, and what it answered. Raises what `make` raises, and what
        `commit` does.

        A cancellation takes the change back while it was not begun, or where nobody else is in its group and COMMIT was
        not sent. Else it is passed on when the group has ended, with a note of what became of the change.
        """
        loop = asyncio.get_running_loop()
        asked = Asked(actor, make, loop.create_future())
        self._waiting.append(asked)
        if self._task is None and not self._is_due:
            self._is_due = True
            loop.call_soon(self._begin)
        try:
            await asked.ended
        except asyncio.CancelledError as cancelled:
            await self._withdraw(asked)
            note = asked.note()
            if note is not None:
                cancelled.add_note(note)
            raise
        failure, asked.failure = asked.failure, None
        if failure is None and asked.change is not None:
            return asked.change, asked.answer
        try:
            raise AssertionError if failure is None else failure
        finally:
            del failure  # it holds this frame

    def _begin(self) -> None:
        """The next group, if there is anybody in it."""
        self._is_due = False
        if not self._waiting:
            return
        self._under_way = [self._waiting.popleft() for _ in range(min(GROUP_MAX, len(self._waiting)))]
        self._task = asyncio.get_running_loop().create_task(self._run(self._under_way))
        self._task.add_done_callback(self._ended)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._task, self._under_way = None, ()
        self._begin()

    async def _run(self, asked: Sequence[Asked[C]]) -> None:
        """Until each has ended."""
        groups = deque([asked])
        outages = 0
        try:
            while groups:
                group = Group(groups.popleft())
                try:
                    await self._commit(group)
                except Exception as failure:  # noqa: BLE001 - goes to every asker
                    # what one of them did may take too long; where the others do too, it is the database
                    outages += group.spoiler is not None and isinstance(failure, UnavailableError)
                    is_outage = not group.is_spoilt or outages > 1
                    if not is_outage and len(group.asked) > 1:
                        groups.extend(group.apart())
                        continue
                    failed = [each for left in (group.asked, *(groups if is_outage else ())) for each in left]
                    if is_outage:  # no other group would fare better
                        groups.clear()
                    for each in failed:
                        each.end(failure)
                else:
                    for each in group.asked:
                        each.end()
        finally:
            for each in asked:  # where this task was cancelled
                each.ended.cancel()

    async def _withdraw(self, asked: Asked[C]) -> None:
        """Nobody waits for it any more. Answers when nothing more will become of it."""
        asked.is_withdrawn = True
        if asked in self._waiting:
            self._waiting.remove(asked)
            return
        task = self._task
        if asked not in self._under_way or task is None:
            return
        if all(each.is_withdrawn for each in self._under_way):
            task.cancel()
        elif asked.change is None:
            return
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue
