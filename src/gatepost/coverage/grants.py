"""What keys have, and what of it they used: joined with what routes ask, by the template that usage is counted by."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gatepost.base import APIKey, Outcome, State
from gatepost.coverage.gap import OF_OURS, Gap
from gatepost.coverage.route import Route
from gatepost.keys import APIKeys
from gatepost.rules import ACCESS_MANAGE, PAGE_MAX

AT_ONCE = 8
"""Most keys whose usage is asked for at the same time: pools hold more connections."""


@dataclass(frozen=True, slots=True)
class Grants:
    """`days`: of which use counts. `keys`: how many work now, templates too. `holders`: by permission, the ids of those
    that have it. `users`: by permission, the ids of those that used a route that asks for it; `None` = the app counts
    no usage. `young`: the ids of those that were made within these days: that they did not use something tells
    nothing."""

    days: int
    keys: int
    holders: Mapping[str, Sequence[str]]
    users: Mapping[str, Sequence[str]] | None
    young: frozenset[str] = frozenset()

    def line_json(self, name: str) -> Mapping[str, Any]:
        """What the keys say of one permission, for programs."""
        used_by = None if self.users is None else len(self.users.get(name, ()))
        return {"holders": len(self.holders.get(name, ())), "used_by": used_by}

    def as_dict(self) -> Mapping[str, Any]:
        """For programs: by key, what it has and did not use, but for what may not be taken away on that ground."""
        if self.users is None:
            return {"active": self.keys, "days": self.days, "unused": None}
        unused: dict[str, list[str]] = {}
        for name, ids in sorted(self.holders.items()):
            used = set(self.users.get(name, ()))
            for key_id in self._judged(name, ids):
                if key_id not in used and key_id not in self.young:
                    unused.setdefault(key_id, []).append(name)
        return {"active": self.keys, "days": self.days, "unused": unused}

    def gaps(self, asked: Mapping[str, Sequence[Route]]) -> Sequence[Gap]:
        """What is worth a look."""
        found = []
        for name, routes in sorted(asked.items()):
            if not self.holders.get(name):
                sentence = f"No active key has {name}, which {_some(routes)} asks for"
                found.append(Gap("unheld", "note", name, sentence, "Give it to the keys that are meant to use that"))
        for name, holders in sorted(self.holders.items()):
            ids = self._judged(name, holders)
            old = [each for each in ids if each not in self.young]
            if name not in asked and ids:
                sentence = f"{_keys(ids)} {name}, and no route asks for it"
                found.append(
                    Gap("granted_unasked", "note", name, sentence, "Take it from them: it may be asked one day")
                )
            elif name in asked and old and self.users is not None and not self.users.get(name):
                sentence = f"{_keys(old)} {name}, and none has used it in {self.days} days"
                found.append(
                    Gap("unused", "warning", name, sentence, f"Take it from them: gatepost keys list -p {name}")
                )
        return found

    def _judged(self, name: str, ids: Sequence[str]) -> Sequence[str]:
        """The holders that are to use it: not those that manage keys, who have it to hand it out; of what lets them
        manage keys, nobody."""
        managers = frozenset(self.holders.get(ACCESS_MANAGE, ()))
        return [] if name in OF_OURS else [each for each in ids if each not in managers]


async def grants_of(keys: APIKeys, asked: Mapping[str, Sequence[Route]], days: int, *, counted: bool = True) -> Grants:
    """What the keys that work now have, and used in the last `days` days. `keys`: open. `counted`: whether the app
    counts usage; else nobody knows.

    A page of keys is a round trip or two, and so is the usage of each key that was used at all. A request that was let
    in counts as a use of all that its route's template asks, for whatever method, and that the key has. Raises
    `UnavailableError`, `SchemaError`."""
    active: list[APIKey] = [*await _listed(keys), *(each.key for each in await _listed(keys.templates))]
    holders: dict[str, list[str]] = {}
    for key in active:
        for name in sorted(key.permissions):
            holders.setdefault(name, []).append(key.id)
    users = await _users(keys, active, asked, days) if counted else None
    since = datetime.now(UTC) - timedelta(days=days)
    return Grants(days, len(active), holders, users, frozenset(key.id for key in active if key.created_at > since))


async def _users(
    keys: APIKeys, active: Sequence[APIKey], asked: Mapping[str, Sequence[Route]], days: int
) -> Mapping[str, Sequence[str]]:
    """By permission, the ids of keys that used it."""
    idle = {key.id for key in await _listed(keys, unused_for=days * 86400.0)}
    since = datetime.now(UTC).date() - timedelta(days=days)
    by_template: dict[str, set[str]] = {}
    for name, routes in asked.items():
        for route in routes:
            for template in (route.path, "") if route.call else (route.path,):  # of some, usage knows no template
                by_template.setdefault(template, set()).add(name)
    users: dict[str, list[str]] = {}
    turn = asyncio.Semaphore(AT_ONCE)

    async def look(key: APIKey) -> None:
        async with turn:
            lines = await keys.usage(key.id, since=since, by=("route", "outcome"))
        used = {line.route or "" for line in lines if line.outcome is Outcome.VALID}
        for name in {name for route in used for name in by_template.get(route, ())} & set(key.permissions):
            users.setdefault(name, []).append(key.id)

    await asyncio.gather(*(look(key) for key in active if key.id not in idle))
    return users


async def _listed(verbs: Any, **which: Any) -> Sequence[Any]:
    """All that work now, of keys or of templates."""
    found: list[Any] = []
    after: str | None = None
    while True:
        page = await verbs.list(state=State.ACTIVE, limit=PAGE_MAX, after=after, sort="created", **which)
        found += page.items
        after = page.next
        if after is None:
            return found


def _keys(ids: Sequence[str]) -> str:
    return "1 active key has" if len(ids) == 1 else f"{len(ids)} active keys have"


def _some(routes: Sequence[Route]) -> str:
    first = routes[0].subject
    return first if len(routes) == 1 else f"{first}, and {len(routes) - 1} more,"
