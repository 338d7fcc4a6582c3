"""Defects, each put into the real code for a while: the simulation must find every one of them.

Most are a line of one function that is replaced in its source, compiled again in its own module; so a defect is exactly
what a wrong edit would be, and a line that is not there any more is noticed.
"""

import asyncio
import contextlib
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

from gatepost.base.trail import pruning
from gatepost.compiled import compiled
from gatepost.database.group_commit import Group
from gatepost.freshness.freshness import Freshness
from gatepost.freshness.membership import Membership
from gatepost.freshness.propagation import Spread
from gatepost.keys import editing, judging
from gatepost.keys.changing import change, spreading
from gatepost.keys.templates import issuing
from gatepost.lookup.lookup import Lookup
from gatepost.temporary import record
from gatepost.temporary.record import TemporaryRecord
from tests.simulation import network, redis
from tests.simulation.database import Change, Server
from tests.simulation.scenario import WEATHERS
from tests.simulation.world import Process

WORLDS = 20
"""In so many a defect must be found."""


@dataclass(frozen=True)
class Edit:
    """In the source of the function `name` of `owner`, a class or a module, `text` becomes `broken`."""

    owner: type | ModuleType
    name: str
    text: str
    broken: str

    def put_in(self, stack: contextlib.ExitStack) -> None:
        """Break the function, whoever holds it, until `stack` is closed. Raises `ValueError` where the text is not in
        the source any more."""
        function = getattr(self.owner, self.name)
        source = _SOURCES.get(function.__code__) or inspect.getsource(function)
        if self.text not in source:
            raise ValueError(f"{self.owner.__name__}.{self.name} does not hold {self.text!r} any more")
        space: dict[str, Any] = {}
        text = textwrap.dedent(source.replace(self.text, self.broken, 1))
        exec(compile(text, f"<broken {self.name}>", "exec"), function.__globals__, space)
        broken: CodeType = space[self.name].__code__
        _SOURCES[broken] = text  # for a second edit
        stack.callback(setattr, function, "__code__", function.__code__)
        function.__code__ = broken


_SOURCES: dict[CodeType, str] = {}
"""Of code that was compiled here."""


@dataclass(frozen=True)
class Swap:
    """The attribute `name` of `owner` becomes `value`."""

    owner: Any
    name: str
    value: Any

    def put_in(self, stack: contextlib.ExitStack) -> None:
        """Set it until `stack` is closed."""
        stack.callback(setattr, self.owner, self.name, self.owner.__dict__[self.name])
        setattr(self.owner, self.name, self.value)


@dataclass(frozen=True)
class Break:
    """A defect. `weather`, `past`: in which worlds it shows, see `scenario.plan`."""

    name: str
    edits: tuple[Edit | Swap, ...]
    weather: int = 0
    past: str = ""

    @property
    def numbers(self) -> range:
        """Of the plans in which it must be found."""
        return range(self.weather, WEATHERS * WORLDS, WEATHERS)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """The code is broken meanwhile."""
        with contextlib.ExitStack() as stack:
            for edit in self.edits:
                edit.put_in(stack)
            yield


IN_PYTHON = Swap(compiled, "_hit", None)
"""Memory hits run in Python, where they are broken then."""

_LEASE = "self.until = sent + self._max_staleness"

_POLLS_NOTHING = """
            nudged = self._bell.nudged.is_set()
            await self._wait_for_turn()
            if not nudged:
                self.until = self._clock() + self._max_staleness
                continue
"""

_ALL = 'frozenset(("FILE_UPLOAD", "OBJECTS_LIST", "FILE_DELETE"))'

BREAKS = (
    Break(
        "the floor is not checked on what Redis says",
        (
            Edit(
                Lookup,
                "seek",
                "found is not None and freshness.covers(digest, found)",
                "found is not None and freshness.holds()",
            ),
        ),
    ),
    Break(
        "the floor is not checked on a joined read",
        (
            Edit(
                Lookup,
                "seek",
                "                if freshness.covers(digest, found):",
                "                if freshness.holds():",
            ),
        ),
        weather=6,
    ),
    Break(
        "the lease is not asked for beyond memory",
        (
            Edit(Freshness, "covers", "self._clock() < self.until and ", ""),
            Edit(Lookup, "seek", "if self._clock() < freshness.until:", "if True:"),
        ),
    ),
    Break("the lease is not checked on memory", (IN_PYTHON, Edit(Lookup, "hit", "now < freshness.until and ", ""))),
    Break(
        "the lease is not checked on what is remembered",
        (Edit(Lookup, "remembered", "if now < self._freshness.until:", "if True:"),),
    ),
    Break(
        "the lease counts from the answer",
        (Edit(Freshness, "_poll", _LEASE, _LEASE.replace("sent", "received")),),
        weather=2,
    ),
    Break(
        "what memory takes in is not checked",
        (Edit(Lookup, "_remember", "self._freshness.not_below_floor(digest, found)", "True"),),
    ),
    Break(
        "memory is not dropped on news",
        (Edit(Freshness, "_raise_floor", "self._memory.drop(digest, below=seq)", "pass"),),
    ),
    Break("nobody is waited for", (Edit(Spread, "told", "self.waiting is not None and not self.waiting", "True"),)),
    Break(
        "what was acknowledged before the change counts for it",
        (Edit(Spread, "note", "seq >= self.seq", "seq >= self.seq - 1"),),
    ),
    Break(
        "the members are read before the commit",
        (
            Edit(
                change,
                "change_keys",
                '    async def make(change: "Change", authority: Authority) -> _Sorted:\n',
                '    async def make(change: "Change", authority: Authority) -> _Sorted:\n'
                "        rows = await parts.database.workers.read_all()\n"
                "        change.members = {row.worker.id: row for row in rows}\n",
            ),
            Edit(
                spreading,
                "settled",
                "        opened = parts.opened()\n",
                "        opened = parts.opened()\n        spread.waiting = getattr(change, 'members', None)\n",
            ),
        ),
        weather=7,
    ),
    Break(
        "what is acknowledged has not been applied yet",
        (
            Edit(
                Freshness,
                "_poll",
                "        if self._nonce is None:\n",
                "        if self._nonce is not None:\n"
                "            await self._attend(self._acknowledge(position))\n"
                "        if self._nonce is None:\n",
            ),
        ),
        weather=4,
    ),
    Break(
        "the lease is renewed before the events are applied",
        (
            Edit(
                Freshness,
                "_poll",
                "        if self._nonce is None:\n",
                f"        if self._nonce is not None and position.is_member:\n            {_LEASE}\n"
                "        if self._nonce is None:\n",
            ),
        ),
        weather=2,
    ),
    Break(
        "nudges are trusted to come",
        (Edit(Freshness, "_keep_polling", "            await self._wait_for_turn()\n", _POLLS_NOTHING.lstrip("\n")),),
    ),
    Break(
        "a lease without a row",
        (
            Edit(Freshness, "_poll", "if not position.is_member:", "if False:"),
            Edit(Freshness, "_poll", "elif self._membership.protects(sent) and not self._stopped:", "else:"),
        ),
        weather=9,
    ),
    Break(
        "a lease although the row may be removed meanwhile",
        (Edit(Membership, "protects", "sent - self._sign_at <= self._max_staleness * (KEEP_FACTOR - 1)", "True"),),
        weather=9,
    ),
    Break(
        "joining anew does not end the lease",
        (Edit(Freshness, "_rejoin_later", "self.until = 0.0", "pass"),),
        weather=8,
    ),
    Break(
        "rows are removed too early",
        (Edit(Membership, "watch", "row.max_staleness * KEEP_FACTOR", "row.max_staleness * 0.1"),),
    ),
    Break(
        "a log with a gap is taken for whole",
        (Edit(Freshness, "_distrust", "self._forget(", "(lambda _: None)("),),
        weather=1,
    ),
    Break(
        "an invalidation is not heeded",
        (Edit(Freshness, "_apply_events", "self._forget(event.seq)", "pass"),),
        past="r",
    ),
    Break(
        "requests are served from tiers before the first poll",
        (
            Edit(
                Freshness,
                "start",
                "        asked = self._clock()\n",
                "        asked = self._clock()\n        self.until = self.until or asked + self._max_staleness\n",
            ),
            Edit(
                judging,
                "judge",
                "await opened.serve()",
                "asyncio.get_running_loop().create_task(opened.serve())",
            ),
        ),
        weather=5,
    ),
    Break("records and counter are read in two statements", (Swap(Server, "counter_apart", True),), weather=4),
    Break(
        "timeouts go on while the loop is blocked: Redis",
        (Swap(redis, "Timeout", asyncio.timeout),),
        weather=10,
    ),
    Break(
        "timeouts go on while the loop is blocked: the database",
        (Swap(network, "Timeout", asyncio.timeout),),
        weather=10,
    ),
    Break("the wall clock measures the lease", (Swap(Process, "clock", Process.wall),)),
    Break(
        "what a group has changed is told before its commit",
        (Edit(Group, "make", "change.keep()", "change.keep()\n                asked.end()"),),
    ),
    Break(
        "a group goes on without the rollback that one of its changes needs",
        (Edit(Group, "make", "if change.needs_rollback:", "if False:"),),
        weather=1,
    ),
    Break(
        "pruning does not heed who is behind",
        (Edit(pruning, "hold_of_worker", "acked_seq - BEHIND", "acked_seq + (1 << 60)"),),
        weather=11,
    ),
    Break(
        "pruning takes the change that a worker stands at",
        (Edit(pruning, "hold_of_worker", "acked_seq - BEHIND", "acked_seq - BEHIND + 1"),),
        weather=11,
    ),
    Break("a role's edit that no floor knows of", (Swap(Change, "role_edits_untold", True),), past="o"),
    Break(
        "narrowing checked only at issue",
        (Edit(TemporaryRecord, "__init__", "claims.resources, parent.permissions)", f"claims.resources, {_ALL})"),),
        past="t",
    ),
    Break(
        "a temporary secret outlives its parent",
        (Edit(Lookup, "temporary_hit", " and self._remembered(record.digest) is record.parent", ""),),
        past="t",
    ),
    Break(
        "the lease is not checked on what is left of a temporary secret",
        (Edit(Lookup, "temporary_hit", "now < freshness.until and ", ""),),
        past="t",
    ),
    Break(
        "a temporary secret does not end by itself",
        (Edit(TemporaryRecord, "__init__", "min(parent.ends_at, _latest(claims, terms))", "parent.ends_at"),),
        past="t",
    ),
    Break(
        "what a template issued is narrowed only at issue",
        (Edit(TemporaryRecord, "__init__", "claims.resources, parent.permissions)", f"claims.resources, {_ALL})"),),
        past="m",
    ),
    Break(
        "what a template issued outlives it",
        (Edit(Lookup, "temporary_hit", " and self._remembered(record.digest) is record.parent", ""),),
        past="m",
    ),
    Break(
        "a template issues by a record that was looked up once",
        (
            Edit(
                issuing,
                "_current",
                "found = await opened.lookup.find(digest)",
                "found = known.setdefault(digest, await opened.lookup.find(digest))",
            ),
        ),
        past="m",
    ),
    Break(
        "a shorter lifetime is for what a template issues later",
        (Edit(record, "_latest", "claims.expires_at if terms is None else", "claims.expires_at if True else"),),
        past="m",
    ),
    Break(
        "an edit of a template is not waited for",
        (Edit(editing, "update", "not (takes_away(", "before.template != key.template or not (takes_away("),),
        past="m",
    ),
)

FIRST_POLL_MISSED = Break(
    "what a process changes before its first poll has ended is taken for applied",
    (
        Edit(
            Freshness,
            "catch_up",
            "        try:\n            async with self._polling:",
            "        if not self.started:\n            return\n        try:\n            async with self._polling:",
        ),
    ),
)
"""Too rare to be met by chance: a scene of its own shows it."""
