"""What an app notes of a key: what is taken, how long it may be, and what is refused with its place."""

import json
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost import BadInputError
from gatepost.base import METADATA_BYTES_MAX, checked_metadata, metadata_of, metadata_of_json, metadata_text

WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LEAVES = st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)


def deep(levels: int) -> Any:
    found: Any = 1
    for number in range(levels):
        found = [found] if number % 2 else {"in": found}
    return {"out": found}


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_plain_json_comes_back_as_it_was(metadata: dict[str, Any]) -> None:
    text = checked_metadata(metadata)
    assert metadata_of(text) == metadata
    assert metadata_of_json(json.dumps(metadata)) == metadata
    assert text == metadata_text(json.loads(json.dumps(dict(reversed(metadata.items())))))


class Text(StrEnum):
    """A text of a class of its own."""

    A = "a"


class Number(float):
    """As NumPy's is."""


class Pair(NamedTuple):
    """A tuple of a class of its own."""

    one: int


@pytest.mark.parametrize(
    "metadata",
    [{"a": MappingProxyType({"b": 1})}, {"a": Pair(1)}, {"a": Number(1)}, {Text.A: 1}, {"a": [{"b": Number(1)}]}],
)
def test_what_is_of_a_class_that_cannot_be_written_is_bad_input(metadata: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match="metadata must be of dict, list, str") as wrong:
        checked_metadata(metadata)
    assert wrong.value.field == "metadata"


def test_nothing_is_stored_of_an_empty_object() -> None:
    assert checked_metadata({}) is None
    assert metadata_of(None) == {}


def test_its_length_is_that_of_json_in_utf_8_without_blanks() -> None:
    room = METADATA_BYTES_MAX - len('{"a":""}')
    for text in ("x" * room, "é" * (room // 2), "\U0001f511" * (room // 4), '"' * (room // 2)):
        assert checked_metadata({"a": text}) is not None
        with pytest.raises(BadInputError, match="at most 4,096 bytes of JSON") as wrong:
            checked_metadata({"a": text + "xxxx"})
        assert wrong.value.field == "metadata"


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        (None, "must be a JSON object"),
        ([], "must be a JSON object"),
        ("{}", "must be a JSON object"),
        ({1: 2}, "has the name 1"),
        ({"a": float("nan")}, r"metadata\['a'\] is nan"),
        ({"a": [1, float("inf")]}, r"metadata\['a'\]\[1\] is inf"),
        ({"a": 2**53}, r"metadata\['a'\] is beyond"),
        ({"a": -(2**53)}, "is beyond"),
        ({"a": 10**400}, "is beyond"),
        ({"a": "\ud800"}, "half a surrogate pair"),
        ({"\udc00": 1}, "half a surrogate pair"),
        ({"a": {1, 2}}, "is a set, which JSON does not have"),
        ({"a": b"x"}, "is a bytes"),
        (deep(8), "is deeper than 8"),
        (deep(5000), "is deeper than 8"),
    ],
)
def test_what_not_every_reader_of_json_reads_alike_is_refused(metadata: Any, told: str) -> None:
    with pytest.raises(BadInputError, match=told) as wrong:
        checked_metadata(metadata)
    assert wrong.value.field == "metadata"


def test_what_is_as_deep_as_it_may_be_is_taken() -> None:
    assert checked_metadata(deep(7)) is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 2}', "two members called 'a'"),
        ('{"a": {"b": 1, "\\u0062": 2}}', "two members called 'b'"),
        ('{"a": NaN}', "has NaN"),
        ('{"a": -Infinity}', "has -Infinity"),
        ("[1]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ("", "must be a JSON object"),
        ("{", "must be a JSON object"),
        ("[" * 30_000 + "]" * 30_000, "metadata"),
        ('{"a": ' * 8_000 + "1" + "}" * 8_000, "metadata"),
        ('{"a": "' + "x" * 70_000 + '"}', "at most 4,096 bytes"),
        ('{"a": ' + "9" * 5_000 + "}", "metadata"),
    ],
)
def test_what_is_typed_is_held_to_the_same(text: str, told: str) -> None:
    for given_as in (text, text.encode()):
        with pytest.raises(BadInputError, match=told) as wrong:
            checked_metadata(metadata_of_json(given_as))
        assert wrong.value.field == "metadata"


@pytest.mark.parametrize("text", ["[1]", "{", "nonsense", '"text"'])
def test_what_was_written_by_hand_is_as_if_there_were_none(text: str, caplog: pytest.LogCaptureFixture) -> None:
    assert metadata_of(text) == {}
    assert metadata_of(text.encode()) == {}
    assert "Metadata cannot be read" in caplog.text
