"""By no sequence of permitted verbs does anybody get from a temporary secret what nobody above them gave."""

import random

import pytest

from gatepost import AccessDeniedError, Actor, APIKeys, BadInputError, KeyNotFoundError

NAMES = ("FILE_UPLOAD", "OBJECTS_LIST", "FILE_DELETE", "ACCESS_MANAGE")
PROJECTS = (None, "acme", "other")
STEPS = 80


async def test_what_limited_actors_issue_never_holds_more_than_they_did(
    sqlite_keys: APIKeys,
) -> None:
    """Operators give and take; managers make, edit and issue. Each secret is then held against who issued it."""
    keys = sqlite_keys
    for seed in range(2):
        await _play(keys, random.Random(seed))


async def _play(keys: APIKeys, rng: random.Random) -> None:
    def some() -> list[str]:
        return [name for name in NAMES if rng.random() < 0.6]

    managers = [
        (await keys.create("a manager", [*some(), "ACCESS_MANAGE"], project=rng.choice(PROJECTS))).key for _ in range(3)
    ]
    parents = [(await keys.templates.create("t", some(), project=rng.choice(PROJECTS))).id for _ in range(3)]
    parents += [(await keys.create("k", some(), project=rng.choice(PROJECTS))).key.id for _ in range(3)]
    given: list[tuple[str, str, frozenset[str]]] = []
    for _ in range(STEPS):
        manager, parent = rng.choice(managers), rng.choice(parents)
        actor = Actor.of(await keys.get(manager.id))
        try:
            match rng.randrange(8):
                case 0:
                    await keys.update(rng.choice([*parents, manager.id]), permissions=[*some(), "ACCESS_MANAGE"])
                case 1:
                    await keys.update(parent, permissions=some(), actor=actor)
                case 2:
                    parents.append((await keys.templates.create("t", some(), actor=actor)).id)
                case 3:
                    await keys.templates.update(parent, lifetime=rng.randrange(60, 600), actor=actor)
                case _:
                    asked = some() if rng.random() < 0.5 else None
                    issued = await keys.issue_temporary(parent, permissions=asked, actor=actor)
                    given.append((parent, issued.secret, actor.permissions))
        except (AccessDeniedError, KeyNotFoundError, BadInputError):
            pass
        for parent, secret, held in given[-20:]:
            verdict = await keys.verify(secret)
            assert verdict.key is not None
            left = verdict.key.permissions
            assert left <= held, "what the issuer held"
            assert left <= (await keys.get(parent)).permissions, "what the parent has now"
            assert "ACCESS_MANAGE" not in left
    assert len(given) > 5, "it was tried"
    with pytest.raises(AccessDeniedError):
        await keys.issue_temporary(parents[0], actor=Actor("nobody", permissions=frozenset(NAMES) - {"ACCESS_MANAGE"}))
