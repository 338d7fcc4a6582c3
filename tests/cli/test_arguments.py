"""What people type, and the values it becomes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost import BadInputError
from gatepost.cli.input.arguments import format_span, parse_seconds, parse_span, parse_when, split_names

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@contextmanager
def named_or_none(text: str) -> Iterator[None]:
    """The block ends well, or with an error that names the text."""
    refused = ""
    try:
        yield
    except BadInputError as error:
        refused = str(error)
    assert not refused or repr(text) in refused


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("1.5", 1.5), ("1h", 3600), ("1d12h", 129_600), ("0s", 0), ("1.5h", 5400)],
)
def test_a_grace_is_a_span_or_a_number_of_seconds(text: str, seconds: float) -> None:
    assert parse_seconds("--grace", text) == seconds


@given(st.text(max_size=20))
def test_any_text_is_a_grace_or_one_clear_error(text: str) -> None:
    with named_or_none(text):
        assert parse_seconds("--grace", text) >= 0


@given(st.text(max_size=20))
def test_any_text_is_an_expiry_or_one_clear_error(text: str) -> None:
    with named_or_none(text):
        assert parse_when("--expires", text, NOW).utcoffset() == timedelta(0)


@given(st.integers(1, 10**9))
def test_a_span_that_is_written_is_read_as_the_same(seconds: int) -> None:
    assert parse_span(format_span(seconds)) == timedelta(seconds=seconds)


def test_names_are_split_at_commas_and_empty_ones_left_out() -> None:
    assert split_names(["A, B", "C", "", ",D,"]) == ["A", "B", "C", "D"]
