"""Random estates: whatever managers that are limited do, with roles, templates, selections and temporary secrets,
nobody gets what nobody gave."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings

from gatepost import APIKey, APIKeys, Issued
from gatepost.base import at_most, covers, names_of_granted
from gatepost.base.resources import reaches
from gatepost.temporary import TemporarySecret, terms_of
from tests.keyring.estates import (
    ELSEWHERE,
    MANAGE,
    NAMES,
    ROLES,
    TAKING,
    Above,
    Estate,
    Given,
    Todo,
    bound_estates,
    estates,
    plants,
    verbs,
)
from tests.servers.databases import ReadyFile

PLACES = ("dir:/a/b", "dir:/a/x", "dir:/c", "dir:/d")

ASKED_AGAIN = 4
"""Of so many temporary secrets, the newest, it is asked after each verb what they open."""

EXAMPLES = int(os.environ.get("TEST_ESTATES", "40"))

HAPPENED = {"done": 100, "done to many": 2, "issued": 12, "opened": 60, "opens no more": 12}
"""What must have been seen at least so often in all examples of CI together."""


@pytest.mark.timeout(600)  # a defect is to be found, not waited for
@pytest.mark.parametrize("with_operator", [False, True], ids=["left alone", "an operator's roles among them"])
def test_nobody_ever_holds_what_nobody_above_gave(tmp_path: Path, ready_file: ReadyFile, with_operator: bool) -> None:
    """Random where a person runs it, the same estates each time in CI, as Hypothesis has it there."""
    seen: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, phases=(Phase.explicit, Phase.generate))  # short enough as it is
    @given(above=estates, todos=verbs)
    def play(above: Sequence[Above], todos: Sequence[Todo]) -> None:
        seen["estates"] += 1
        file = tmp_path / f"{seen['estates']}.db"
        ready_file.copy_to(file)
        asyncio.run(_play(f"sqlite:///{file}", above, todos, seen, with_operator=with_operator))
        file.unlink()

    above, todos = ELSEWHERE
    example(above=above, todos=todos)(play)()
    if settings().derandomize:  # random ones may be dull
        dull = {what: seen[what] for what, least in HAPPENED.items() if seen[what] < least}
        assert not dull, (dull, seen)


async def _play(
    url: str, above: Sequence[Above], todos: Sequence[Todo], seen: Counter[str], *, with_operator: bool
) -> None:
    async with APIKeys(url, usage=False) as keys:
        estate = Estate(keys)
        if with_operator:
            await keys.roles.create("a", ["FILE_UPLOAD"], resources=["dir:/a/*"])
            await keys.roles.create("b", [MANAGE, "DIR_CREATE"], project="acme")
        await estate.found(above, with_roles=with_operator)
        first = estate.held
        managers = [key for key in first.values() if MANAGE in key.granted and key.template is None]
        for todo in todos:
            if all(key.template is not None for key in estate.held.values()):
                return  # nobody is left who could do anything
            before = estate.held
            acting, answer = await estate.do(todo)
            if answer is None and todo is not todos[-1]:
                continue  # it was refused: that it changed nothing is seen with the next one
            seen["done"] += answer is not None
            seen["done to many"] += todo.verb.endswith("many") and bool(getattr(answer, "changed", ()))
            seen["issued"] += isinstance(answer, TemporarySecret)
            check_answer(acting, before, answer)
            await estate.look()
            check_step(acting, before, estate.held)
            for key in estate.held.values():
                check_given(key, first.get(key.id), [each for each in managers if has_reach(each, key)])
            for each in estate.given[-ASKED_AGAIN:]:
                opens = await check_temporary(estate, each)
                seen["opened" if opens else "opens no more"] += 1


def test_what_somebody_above_takes_away_is_gone_whatever_those_below_gave_meanwhile(
    tmp_path: Path, ready_file: ReadyFile
) -> None:
    """Managers that are bound by addresses or limits give what is there already, by another way; then the first way
    ends."""
    seen: Counter[str] = Counter()

    @settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.generate))
    @given(above=bound_estates, todos=plants)
    def play(above: Sequence[Above], todos: Sequence[Todo]) -> None:
        seen["estates"] += 1
        file = tmp_path / f"{seen['estates']}.db"
        ready_file.copy_to(file)
        asyncio.run(_plant(f"sqlite:///{file}", above, todos, seen))
        file.unlink()

    play()
    if settings().derandomize:
        assert seen["done"] >= 40, seen
        assert seen["taken"] >= 10, seen


async def _plant(url: str, above: Sequence[Above], todos: Sequence[Todo], seen: Counter[str]) -> None:
    async with APIKeys(url, usage=False) as keys:
        estate = Estate(keys)
        for name in ROLES:
            await keys.roles.create(name, ["FILE_UPLOAD"])
        await estate.found(above, with_roles=True)
        managers = [key for key in estate.held.values() if MANAGE in key.granted and key.template is None]
        for todo in todos:
            acting, answer = await estate.do(todo)
            seen["taken" if todo.verb in TAKING else "done"] += todo.verb in TAKING or answer is not None
            before = estate.held
            await estate.look()
            check_left(estate, managers)
            if answer is not None:
                check_step(acting, before, estate.held)
        verb = TAKING[len(todos) % 2]  # one of the two: what was given the other way is seen then
        await estate.take(verb, [*ROLES, *estate.held], [*NAMES, MANAGE])
        await estate.look()
        check_left(estate, managers)


def check_answer(acting: APIKey, before: Any, answer: Any) -> None:
    """Whoever was told a secret held all that it opens, and reached the key that it is of."""
    if isinstance(answer, Issued):
        assert answer.key.permissions <= acting.granted, "a secret of a stronger key was told"
        assert has_reach(acting, answer.key), "and of another project or environment"
    if isinstance(answer, TemporarySecret):
        parent = before[answer.key_id]
        assert has_reach(acting, parent), "issued of a key that its issuer does not reach"
        assert parent.permissions <= acting.granted, "issued of what its issuer does not hold"
        assert binds_less(acting, parent), "issued of what may be used more than its issuer, or from elsewhere"


def check_step(acting: APIKey, before: Any, after: Any) -> None:
    """One verb has changed only what who acted reaches, and added only what that held itself."""
    for key_id in before.keys() | after.keys():
        was, now = before.get(key_id), after.get(key_id)
        if was == now:
            continue
        assert acting.active, "changed by one that is switched off"
        assert MANAGE in acting.granted, "changed by one that does not manage"
        assert has_reach(acting, now or was), "changed by one that does not reach it"
        if now is not None:
            gained = frozenset[str]().union(*(permitted(now, place) - permitted(was, place) for place in PLACES))
            assert gained <= acting.granted, f"{sorted(gained - acting.granted)} by one that does not hold it"
            if gained or was is None or not at_most(now.limits, was.limits):
                assert at_most(now.limits, acting.limits), "to be used more than who gave it may be"
            if gained or was is None or not covers(was.allow, now.allow):
                assert covers(acting.allow, now.allow), "to be used from where who gave it may not be"
            if was is not None and lifetime(now) > lifetime(was):
                assert names_of_granted(now.granted) <= acting.granted, "a stronger template was given a longer life"


def check_given(key: APIKey, had: APIKey | None, above: Sequence[APIKey]) -> None:
    """It has what it had, and what those above may have given it."""
    given_by = frozenset[str]().union(*(each.granted for each in above))
    for place in PLACES:
        here, had_here = permitted(key, place), permitted(had, place)
        assert here <= had_here | given_by, f"{here - had_here - given_by} on {place} came from nowhere"
    assert had is not None or above, "it was made by nobody"


def check_left(estate: Estate, above: Sequence[APIKey]) -> None:
    """What a key has is what somebody above gave and did not take again, or what one may have given that holds it, and
    is bound no more than the key."""
    for key in estate.held.values():
        for name in key.permissions - estate.above.of(key):
            assert any(name in each.granted and has_reach(each, key) and binds_less(each, key) for each in above), (
                f"{name} has outlived that it was taken away"
            )


def binds_less(one: APIKey, other: APIKey) -> bool:
    """Whether one key may be used from wherever the other may, and as much."""
    return covers(one.allow, other.allow) and at_most(other.limits, one.limits)


async def check_temporary(estate: Estate, given: Given) -> bool:
    """What it opens is within what its parent has now, its issuer held, and was asked for. Answers whether it opens
    anything."""
    verdict = await estate.keys.verify(given.secret)
    if not verdict.valid:
        return False
    left, parent = verdict.key, estate.held.get(given.parent)
    assert left is not None
    assert parent is not None, "it outlives its parent"
    assert parent.active, "it opens what its parent does not"
    assert given.secret not in estate.ended, "it outlives the secret that it was made from"
    for place in PLACES:
        opens = permitted(left, place)
        assert opens <= permitted(parent, place), "more than its parent has now"
        assert opens <= given.held, "more than its issuer held"
        assert MANAGE not in opens
        assert given.permissions is None or opens <= given.permissions, "more than was asked for"
        assert not opens or given.resources is None or reaches(tuple(given.resources), place), "on more than was asked"
    return bool(names_of_granted(left.granted))


def has_reach(acting: APIKey, key: APIKey) -> bool:
    """Whether the key is of the project and the environment of who acts."""
    return acting.project in (None, key.project) and acting.environment in (None, key.environment)


def permitted(key: APIKey | None, place: str) -> frozenset[str]:
    """What it may do there, now."""
    if key is None or not key.active:
        return frozenset()
    return frozenset(name for name in (*NAMES, MANAGE) if key.permits(name, place))


def lifetime(key: APIKey) -> int:
    """Of what is issued of it; 0 = it is no template."""
    terms = None if key.template is None else terms_of(key.template)
    return 0 if terms is None else terms.lifetime
