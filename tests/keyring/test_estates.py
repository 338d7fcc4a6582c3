"""Random estates: whatever managers that are limited do, with roles and keys of keys, nobody gets what nobody gave."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gatepost import (
    AccessDeniedError,
    Actor,
    APIKey,
    APIKeys,
    BadInputError,
    ForceNeededError,
    Issued,
    KeyNotFoundError,
    RoleNotFoundError,
)

NAMES = ("FILE_UPLOAD", "FILE_RENAME", "DIR_CREATE")
MANAGE = "ACCESS_MANAGE"
PROJECTS = (None, "acme", "other")
ROLES = ("a", "b")

_names = st.lists(st.sampled_from((*NAMES, MANAGE)), max_size=3, unique=True)
_roles = st.lists(st.sampled_from(ROLES), max_size=2, unique=True)
_project = st.sampled_from(PROJECTS)
_number = st.integers(0, 30)
_step = st.one_of(
    st.tuples(st.just("create"), _number, _number, _names, _roles, _project),
    st.tuples(st.just("permissions"), _number, _number, _names, _roles, _project),
    st.tuples(st.just("roles"), _number, _number, _names, _roles, _project),
    st.tuples(st.just("rotate"), _number, _number, _names, _roles, _project),
    st.tuples(st.just("activate"), _number, _number, _names, _roles, _project),
    st.tuples(st.just("make role"), _number, _number, _names, _roles, _project),
    st.tuples(st.just("edit role"), _number, _number, _names, _roles, _project),
    st.tuples(st.just("delete role"), _number, _number, _names, _roles, _project),
)
_estate = st.lists(st.tuples(_names, _project), min_size=2, max_size=5)
REFUSALS = (AccessDeniedError, BadInputError, ForceNeededError, KeyNotFoundError, RoleNotFoundError)


async def made(keys: APIKeys) -> Sequence[APIKey]:
    """All keys, the oldest first."""
    return (await keys.list(sort="created", limit=500)).items


async def step(keys: APIKeys, todo: Any) -> tuple[Actor, Any]:
    """One verb of one of the keys. Who acted, and what it was answered."""
    verb, who, which, names, roles, project = todo
    estate = await made(keys)
    actor, key = Actor.of(estate[who % len(estate)]), estate[which % len(estate)]
    role = (roles or ["a"])[0]
    calls: Mapping[str, Callable[[], Awaitable[Any]]] = {
        "create": lambda: keys.create("made", names, roles=roles, project=project, actor=actor),
        "permissions": lambda: keys.update(key.id, permissions=names, force=True, actor=actor),
        "roles": lambda: keys.update(key.id, roles=roles, force=True, actor=actor),
        "rotate": lambda: keys.rotate(key.id, grace=0, force=True, actor=actor),
        "activate": lambda: keys.activate(key.id, actor=actor),
        "make role": lambda: keys.roles.create(role, names, project=project, actor=actor),
        "edit role": lambda: keys.roles.update(role, project=project, permissions=names, force=True, actor=actor),
        "delete role": lambda: keys.roles.delete(role, project=project, force=True, actor=actor),
    }
    with suppress(*REFUSALS):
        return actor, await calls[verb]()
    return actor, None


@pytest.mark.parametrize("with_operator", [False, True], ids=["left alone", "an operator's roles among them"])
@settings(
    max_examples=40,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # an example is short enough to be read as it is
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(estate=_estate, steps=st.lists(_step, max_size=14))
async def test_nobody_ever_holds_what_nobody_above_gave(
    tmp_path_factory: pytest.TempPathFactory, with_operator: bool, estate: Any, steps: Any
) -> None:
    async with APIKeys(f"sqlite:///{tmp_path_factory.mktemp('estate')}/keys.db", usage=False) as keys:
        if with_operator:
            await keys.roles.create("a", ["FILE_UPLOAD"])
            await keys.roles.create("b", [MANAGE, "DIR_CREATE"], project="acme")
        for names, project in estate:
            roles = ["a"] if with_operator and "FILE_RENAME" in names else []
            await keys.create("from above", names, project=project, roles=roles)
        before = {key.id: key for key in await made(keys)}
        managers = [key for key in before.values() if MANAGE in key.permissions]
        for todo in steps:
            held = {key.id: key.permissions for key in await made(keys)}
            actor, answer = await step(keys, todo)
            assert actor.key_id is not None
            if isinstance(answer, Issued):
                assert answer.key.permissions <= held[actor.key_id], "a secret of a stronger key was told"
                assert actor.project in (None, answer.key.project), "and of another project"
        for key in await made(keys):
            of_managers = [each.permissions for each in managers if each.project in (None, key.project)]
            given_by = frozenset[str]().union(*of_managers)
            had = before[key.id].permissions if key.id in before else frozenset()
            assert key.permissions <= had | given_by, f"{key.permissions - had - given_by} came from nowhere"
            if key.id not in before:
                assert any(each.project in (None, key.project) for each in managers)
