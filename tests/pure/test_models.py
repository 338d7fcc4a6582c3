"""Values and errors that users meet."""

import pytest

from gatepost.errors import (
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
from gatepost.models import Outcome, Verdict
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
