"""Values and errors that users meet."""

from typing import Any

import pytest

from gatepost.base.actor import Actor, ActorKind
from gatepost.base.errors import (
    BadInputError,
    ConfigurationError,
    GatepostError,
    KeyNotFoundError,
    MissingExtraError,
    PermissionDeniedError,
    SchemaError,
    UnavailableError,
    UnknownPermissionError,
)
from gatepost.base.models import Outcome, Verdict
from tests.pure.records import record


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_verdict_is_valid_for_one_outcome_only(outcome: Outcome) -> None:
    assert Verdict(outcome, record()).valid is (outcome is Outcome.VALID)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (BadInputError("x"), ValueError),
        (UnknownPermissionError("A", "the catalogue DAM", None), ValueError),
        (KeyNotFoundError(["a"]), LookupError),
        (ConfigurationError("x"), RuntimeError),
        (SchemaError("x"), RuntimeError),
        (MissingExtraError("asyncpg", "postgres"), ImportError),
        (UnavailableError("x"), Exception),
        (PermissionDeniedError("x"), Exception),
    ],
)
def test_all_errors_are_in_one_tree_and_of_the_builtin_kind(error: Exception, builtin: type[Exception]) -> None:
    assert isinstance(error, GatepostError)
    assert isinstance(error, builtin)


def test_errors_hold_their_data_and_say_what_to_do() -> None:
    assert KeyNotFoundError(iter(["a", "b"])).ids == ("a", "b")
    assert str(KeyNotFoundError(["a", "b"])) == "No key with id 'a', 'b'"
    assert UnavailableError("down").retry_after == 1
    assert UnavailableError("down", 5).retry_after == 5
    assert (
        str(MissingExtraError("asyncpg", "postgres"))
        == "asyncpg is not installed. Run: pip install 'gatepost[postgres]'"
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"operator": True, "project": "acme"}, "leave out operator=True, or project"),
        ({"operator": True, "permissions": frozenset({"A"})}, "leave out operator=True, or permissions"),
        ({"operator": True, "project": "acme", "key_id": "x"}, "project and key_id"),
        ({"operator": "false"}, "operator must be True or False"),
        ({"operator": None}, "operator must be True or False"),
        ({"permissions": None}, "permissions must be a set of names.*operator=True"),
        ({"permissions": "ACCESS_MANAGE"}, "permissions must be a set of names"),
        ({"at_shell": True}, "operator=True too"),
        ({"key_id": "x", "id": "17"}, "leave out id"),
    ],
)
def test_an_actor_that_contradicts_itself_or_may_be_meant_otherwise_is_refused(given: Any, told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        Actor("ann", **given)


@pytest.mark.parametrize("given", [{}, {"project": "acme"}, {"project": ""}, {"key_id": "4fT0aK9sQ2Lm"}, {"id": "17"}])
def test_an_actor_holds_nothing_but_what_it_was_given(given: Any) -> None:
    assert Actor("ann", **given).held == frozenset()


def test_what_an_actor_is_cannot_be_chosen_by_its_name() -> None:
    name = "key 4fT0aK9sQ2Lm"
    kinds = {
        ActorKind.PERSON: Actor(name),
        ActorKind.OPERATOR: Actor(name, operator=True),
        ActorKind.SHELL: Actor(name, operator=True, at_shell=True),
        ActorKind.KEY: Actor(name, key_id="4fT0aK9sQ2Lm"),
    }
    assert {kind: actor.kind for kind, actor in kinds.items()} == {kind: kind for kind in kinds}
    assert Actor(name, id="17", operator=True).kind is ActorKind.PERSON
    assert [actor.identity for actor in kinds.values()] == [name, name, name, "4fT0aK9sQ2Lm"]
