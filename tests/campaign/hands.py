"""Who switches keys off and on, all the time, and notes what must be true from when on."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.campaign.crew import Crew, Server
from tests.campaign.truth import READ, WRITE, Truth, Truths

BOTH = ["FILE_UPLOAD", "OBJECTS_LIST"]
DWELL_SECONDS = 0.3
"""Between two verbs, for requests to show what holds."""

AGAIN_SECONDS = 0.2
LENT_SECONDS = 86_400
"""How long a temporary secret lives: longer than clocks are stepped by."""

RETIRED_MAX = 20
"""Secrets that are gone for good and still tried."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One `verb` that took something away and returned. `at`, `seconds`: from call to return; `at` = its beginning, on
    CLOCK_MONOTONIC, nanoseconds. `acknowledged`, `expired`, `left`: how many workers got there how."""

    verb: str
    at: int
    seconds: float
    acknowledged: int
    expired: int
    left: int


@dataclass
class Ledger:
    """What the hands share: the truth, and what their verbs answered. `errors`: (moment, name) of those that failed."""

    site: Crew
    truths: Truths = field(default_factory=Truths)
    taken: list[Taken] = field(default_factory=list)
    errors: list[tuple[int, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    _retired: list[int] = field(default_factory=list)

    async def create(
        self, *, weight: int, permissions: Sequence[str] = BOTH, roles: Sequence[str] = ()
    ) -> tuple[int, str]:
        """Make a key that all let in; the number of its secret, and its id."""
        made = await self.made("create", "campaign", permissions, roles=roles)
        return await self.add(made, weight=weight), made["id"]

    async def made(self, verb: str, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        """Run a verb that makes something, until it succeeds."""
        made = await self.site.call(self.site.admin, verb, *args, **kwargs)
        while "error" in made:
            await asyncio.sleep(AGAIN_SECONDS)
            made = await self.site.call(self.site.admin, verb, *args, **kwargs)
        return made

    async def add(self, made: Mapping[str, Any], *, weight: int) -> int:
        """A secret that has just been made, and is good from `ended` on."""
        number = len(self.texts)
        self.texts.append(made["secret"])
        self.truths.note(number, made["ended"], Truth.LET_IN)
        await self.site.tell_load(secret=number, text=made["secret"], weight=weight)
        return number

    async def retire(self, number: int) -> None:
        """A secret that is gone for good: tried less often, and at last not any more."""
        await self.site.tell_load(secret=number, text=self.texts[number], weight=1)
        self._retired.append(number)
        if len(self._retired) > RETIRED_MAX:
            await self.site.tell_load(forget=self._retired.pop(0))


@dataclass(frozen=True, slots=True)
class Hand:
    """Changes some secrets on some routes, through one process."""

    ledger: Ledger
    by: Server
    secrets: Sequence[int]
    routes: Sequence[int] = (READ, WRITE)

    async def take(self, verb: str, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        """Run a verb that takes something away until it succeeds; from its return on the secrets must be refused."""
        done = await self.give(verb, *args, then=Truth.REFUSED, **kwargs)
        if "error" not in done:
            seconds = (done["ended"] - done["began"]) / 1e9
            how = (done.get(how, 0) for how in ("acknowledged", "expired", "left"))  # a few verbs do not tell
            self.ledger.taken.append(Taken(verb, done["began"], seconds, *how))
        return done

    async def give(self, verb: str, *args: Any, then: Truth = Truth.LET_IN, **kwargs: Any) -> Mapping[str, Any]:
        """Run a verb that gives something until it succeeds; from its return on `then` holds of the secrets."""
        truths, site = self.ledger.truths, self.ledger.site
        places = [(number, route) for number in self.secrets for route in self.routes]
        before = {place: truths.last(*place) for place in places}
        while True:
            self._note(time.monotonic_ns(), dict.fromkeys(places, Truth.OPEN))
            try:
                done = await site.call(self.by, verb, *args, **kwargs)
            except httpx2.TransportError as failure:
                done = {"ended": time.monotonic_ns(), "error": type(failure).__name__}
            if "error" not in done:
                break
            self.ledger.errors.append((done["ended"], done["error"]))
            if done["error"] == "KeyNotFoundError":  # deleted by a try whose end nobody told: never judged
                return done
            if done["error"] != "UnavailableError":  # that one says that nothing was changed
                before = dict.fromkeys(places, Truth.OPEN)
            self._note(done["ended"], before)
            await asyncio.sleep(AGAIN_SECONDS)
        if then is not Truth.OPEN and not done.get("complete", True):
            raise RuntimeError(f"{verb} returned before every worker acts on it")
        self._note(done["ended"], dict.fromkeys(places, then))
        for number in self.secrets:
            await site.tell_load(probe=number)
        return done

    def _note(self, at: int, held: Mapping[tuple[int, int], Truth]) -> None:
        for (number, route), truth in held.items():
            self.ledger.truths.note(number, at, truth, route)


async def switch(ledger: Ledger, by: Server, keys: int) -> None:
    """Deactivate and activate keys, several with one call, for ever."""
    made = [await ledger.create(weight=4) for _ in range(keys)]
    hand, ids = Hand(ledger, by, [number for number, _ in made]), [key_id for _, key_id in made]
    while True:
        await _dwell()
        await hand.take("deactivate", ids)
        await _dwell()
        await hand.give("activate", ids, wait="everywhere")


async def rotate(ledger: Ledger, by: Server) -> None:
    """Rotate a key with no grace, for ever."""
    number, key_id = await ledger.create(weight=4)
    while True:
        await _dwell()
        done = await Hand(ledger, by, [number]).take("rotate", key_id, grace=0)
        await ledger.retire(number)
        number = await ledger.add(done, weight=4)


async def delete(ledger: Ledger, by: Server) -> None:
    """Make a key and delete it, for ever."""
    while True:
        number, key_id = await ledger.create(weight=4)
        await _dwell()
        await Hand(ledger, by, [number]).take("delete", key_id)
        await ledger.retire(number)


async def edit(ledger: Ledger, by: Server, less: Mapping[str, Any], more: Mapping[str, Any]) -> None:
    """Let a key do less by an edit, and as much as before by another, for ever; the other route goes on."""
    number, key_id = await ledger.create(weight=4)
    hand = Hand(ledger, by, [number], [WRITE])
    while True:
        await _dwell()
        await hand.take("update", key_id, **less)
        await _dwell()
        # An edit that gives does not wait for the workers; a verb that changes nothing and waits does it for it.
        await hand.give("update", key_id, **more, then=Truth.OPEN)
        await hand.give("activate", key_id, wait="everywhere")


async def edit_role(ledger: Ledger, by: Server, keys: int) -> None:
    """Take a permission away from all keys of a role with one edit, and give it back, for ever."""
    role = f"campaign-{by.port}"
    await ledger.made("roles.create", role, BOTH)
    made = [await ledger.create(weight=4, permissions=(), roles=[role]) for _ in range(keys)]
    hand, ids = Hand(ledger, by, [number for number, _ in made], [WRITE]), [key_id for _, key_id in made]
    while True:
        await _dwell()
        await hand.take("roles.update", role, permissions=BOTH[1:])
        await _dwell()
        await hand.give("roles.update", role, permissions=BOTH, then=Truth.OPEN)
        await hand.give("activate", ids, wait="everywhere")


async def lend(ledger: Ledger, by: Server) -> None:
    """Switch a template off and on, and end all that it has issued, for ever, beside a temporary secret of it."""
    template = (await ledger.made("templates.create", "campaign", BOTH, lifetime=LENT_SECONDS))["id"]
    while True:
        number = await ledger.add(await ledger.made("issue_temporary", template), weight=4)
        hand = Hand(ledger, by, [number])
        await _dwell()
        await hand.take("templates.deactivate", template)
        await _dwell()
        await hand.give("templates.activate", template, wait="everywhere")
        await _dwell()
        await hand.take("templates.rotate", template)
        await ledger.retire(number)


async def _dwell() -> None:
    await asyncio.sleep(DWELL_SECONDS * random.uniform(0.5, 1.5))
