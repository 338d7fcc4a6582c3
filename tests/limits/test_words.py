"""A limit in one word, as it is typed and told."""

from typing import Any

import pytest
from hypothesis import given

from gatepost.base import BadInputError, Quota, Rate, Slots, limit_of_text, limit_text
from tests.limits.test_values import each_limit


@pytest.mark.parametrize(
    ("word", "limit"),
    [
        ("minute=100/60s:20", Rate(100, per=60, burst=20, name="minute")),
        ("a=5/s", Rate(5, per=1, name="a")),
        ("a=5/min", Rate(5, per=60, name="a")),
        ("a=5/2h:3!closed", Rate(5, per=7200, burst=3, name="a", on_outage="closed")),
        ("plan=1000000/month", Quota(1_000_000, per="month", name="plan")),
        ("plan=7/day!open", Quota(7, per="day", name="plan", on_outage="open")),
        (" flight=10 ", Slots(10, name="flight")),
    ],
)
def test_a_word_tells_a_limit(word: str, limit: Any) -> None:
    assert limit_of_text(word) == limit


@given(each_limit)
def test_every_limit_comes_back_from_its_word(limit: Any) -> None:
    assert limit_of_text(limit_text(limit)) == limit


@pytest.mark.parametrize(
    "word",
    ["", "100", "100/60s", "=100/60s", "a=", "a=x", "a=-1", "a=1.5/s", "a=1/week", "a=1/60", "a=1/60s:", "a=1/s!"],
)
def test_what_is_no_limit_is_told_how_to_write_one(word: str) -> None:
    with pytest.raises(BadInputError, match="write minute=100/60s:20"):
        limit_of_text(word)


@pytest.mark.parametrize("word", ["a=0", "a=5/s:6", "a=5/0s", "a b=5", "a=5/s!shut", "a=5/99999s"])
def test_what_no_limit_can_be_is_told_as_elsewhere(word: str) -> None:
    with pytest.raises(BadInputError) as caught:
        limit_of_text(word)
    assert caught.value.field == "limits"
