"""What limits may say, and how they are told in JSON."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.base import (
    BadInputError,
    Limit,
    Limits,
    Quota,
    Rate,
    Slots,
    at_most,
    checked_limits,
    limit_as_json,
    limits_of_json,
    limits_of_stored,
    stored_limits,
)
from gatepost.base.limits import UNREADABLE

ALL: list[Limit] = [Rate(100, per=60, burst=20, name="minute"), Quota(1_000_000, per="month", name="plan"), Slots(10)]


def test_a_rate_without_a_burst_may_be_used_all_at_once() -> None:
    assert Rate(100, per=60).burst == 100


def test_a_unit_never_comes_back_early() -> None:
    assert Rate(100, per=60).interval == 600_000
    assert Rate(7, per=1).interval == 142_858
    assert Rate(1_000_000, per=1).interval == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: Rate(0, per=60), "units .*not 0"),
        (lambda: Rate(-5, per=60), "units .*not -5"),
        (lambda: Rate(True, per=60), "units .*not True"),
        (lambda: Rate(1.5, per=60), "units .*not 1.5"),  # type: ignore[arg-type]
        (lambda: Rate(10**13, per=60), "units"),
        (lambda: Rate(1, per=0), "per .*not 0"),
        (lambda: Rate(1, per=0.5), "per .*not 0.5"),  # type: ignore[arg-type]
        (lambda: Rate(1, per=86_401), "longer than a day is a Quota"),
        (lambda: Rate(2_000_001, per=2), "a million a second"),
        (lambda: Rate(10, per=60, burst=11), "burst .*not 11"),
        (lambda: Rate(10, per=60, burst=-1), "burst .*not -1"),
        (lambda: Rate(10, per=60, burst=0), "burst .*not 0"),
        (lambda: Rate(10, per=60, burst=False), "burst .*not False"),
        (lambda: Rate(10, per=60, name="a b"), "name .*'a b'"),
        (lambda: Rate(10, per=60, name=""), "name"),
        (lambda: Rate(10, per=60, name='"'), "name"),
        (lambda: Rate(10, per=60, name="é"), "name"),
        (lambda: Rate(10, per=60, name="n" * 33), "name"),
        (lambda: Rate(10, per=60, on_outage="shut"), "on_outage .*'shut'"),  # type: ignore[arg-type]
        (lambda: Quota(10, per="year"), "per .*'year'"),  # type: ignore[arg-type]
        (lambda: Quota(0, per="day"), "units"),
        (lambda: Slots(0), "units"),
        (lambda: checked_limits([Rate(1, per=1), Quota(2, per="day", name="rate")]), "called 'rate'"),
        (lambda: Limits(Slots(1, name=f"n{number}") for number in range(9)), "at most 8"),
        (lambda: checked_limits(Rate(1, per=1)), "must be a list"),  # type: ignore[arg-type]
        (lambda: checked_limits(["100/minute"]), "'100/minute'"),  # type: ignore[list-item]
        (lambda: checked_limits("100/minute"), "must be a list"),  # type: ignore[arg-type]
        (lambda: checked_limits(None), "must be a list"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_meant_is_one_error_that_names_the_field_and_the_value(wrong: Any, told: str) -> None:
    with pytest.raises(BadInputError, match=told) as caught:
        wrong()
    assert caught.value.field == "limits"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "must be a list of objects"),
        ("[]", "must be a list of objects"),
        ([1], "must be an object"),
        ([{"units": 1}], "type must be"),
        ([{"type": "bucket", "units": 1}], "'bucket'"),
        ([{"type": [], "units": 1}], "type must be"),
        ([{"type": "rate", "units": 1}], "needs per"),
        ([{"type": "slots"}], "needs units"),
        ([{"type": "rate", "units": 1, "per": 1, "window": 2}], "no 'window'"),
        ([{"type": "slots", "units": 1, "per": 1}], "no 'per'"),
        ([{"type": "slots", "units": 1, "_": 1}], "no '_'"),
        ([{"type": "slots", "units": "1"}], "not '1'"),
        ([{"type": "slots", "units": 1}, {"type": "slots", "units": 2}], "called 'slots'"),
    ],
)
def test_json_that_does_not_tell_a_limit_exactly_is_refused(wrong: Any, told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        limits_of_json(wrong)


MINUTE = Rate(60, per=60, burst=20)
OPEN: Any = {"on_outage": "open"}
CLOSED: Any = {"on_outage": "closed"}


@pytest.mark.parametrize(
    ("limits", "own", "is_at_most"),
    [
        ([], [], True),
        ([MINUTE], [], True),
        ([], [MINUTE], False),
        ([Rate(60, per=60, burst=20, name="another")], [MINUTE], True),
        ([Rate(120, per=120, burst=20)], [MINUTE], True),
        ([Rate(30, per=60, burst=20)], [MINUTE], True),
        ([Rate(60, per=60, burst=21)], [MINUTE], False),
        ([Rate(61, per=60, burst=20)], [MINUTE], False),
        ([Rate(60, per=60, burst=20, **OPEN)], [MINUTE], False),
        ([Rate(60, per=60, burst=20, **CLOSED)], [MINUTE], True),
        ([MINUTE], [Rate(60, per=60, burst=20, **CLOSED)], False),
        ([Quota(9, per="day")], [Quota(10, per="day")], True),
        ([Quota(10, per="day")], [Quota(9, per="day")], False),
        ([Quota(9, per="day")], [Quota(9, per="month")], False),
        ([Slots(3)], [Slots(3)], True),
        ([Slots(3)], [Slots(2)], False),
        ([Slots(3)], [MINUTE], False),
        ([Slots(2), MINUTE], [MINUTE, Slots(3)], True),
        ([Slots(2)], [MINUTE, Slots(3)], False),
    ],
)
def test_limits_are_at_most_others_where_each_of_these_has_one_as_strict(
    limits: list[Limit], own: list[Limit], is_at_most: bool
) -> None:
    assert at_most(Limits(limits), Limits(own)) is is_at_most
    assert at_most(Limits(limits, 3), Limits(own)) is is_at_most


def test_who_cannot_be_let_in_for_limits_that_nobody_can_read_gives_nothing_and_has_nothing() -> None:
    assert at_most(UNREADABLE, Limits([MINUTE]))
    assert at_most(UNREADABLE, UNREADABLE)
    assert not at_most(Limits([MINUTE]), UNREADABLE)
    assert not at_most(Limits(), UNREADABLE)


names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,31}\Z")
outages: st.SearchStrategy[Any] = st.sampled_from(["local", "open", "closed"])
rates = st.builds(
    lambda units, per, part, name, outage: Rate(
        units, per=per, burst=max(1, units // part), name=name, on_outage=outage
    ),
    st.integers(1, 1_000_000), st.integers(1, 86_400), st.integers(1, 50), names, outages,
)  # fmt: skip
quotas: st.SearchStrategy[Quota] = st.builds(
    Quota, st.integers(1, 10**12), per=st.sampled_from(["day", "month"]), name=names, on_outage=outages
)
slots = st.builds(Slots, st.integers(1, 10**12), name=names, on_outage=outages)
each_limit: st.SearchStrategy[Limit] = st.one_of(rates, quotas, slots)
limits = st.lists(each_limit, max_size=8, unique_by=lambda limit: limit.name)


@given(limits, st.integers(0, 100))
def test_limits_come_back_from_json_and_from_what_is_stored_as_they_were(listed: list[Limit], resets: int) -> None:
    told = Limits(listed, resets)
    assert limits_of_json([limit_as_json(limit) for limit in told]) == Limits(told)
    stored = limits_of_stored(stored_limits(told))
    assert (stored, stored.resets) == (told, resets)


def test_limits_that_were_reset_are_others() -> None:
    limits = Limits([Slots(3)])
    assert limits == Limits([Slots(3)]) == (Slots(3),)
    assert limits != limits.reset()
    assert checked_limits(limits.reset()) == limits, "what is handed in was never reset"
    assert len({limits, Limits([Slots(3)])}) == 1
    assert limits != [Slots(3)], "as a tuple"


def test_no_limits_are_stored_as_nothing() -> None:
    assert stored_limits(Limits()) is None
    assert limits_of_stored(None) == ()


@pytest.mark.parametrize("text", ["", "{", "{}", "3", "[]", '["0"]', "[-1]", "[true]", '[0, {"type": "rate"}]'])
def test_what_was_stored_by_hand_and_wrongly_is_an_error_and_not_no_limit(text: str) -> None:
    with pytest.raises(BadInputError):
        limits_of_stored(text)


def test_limits_are_copied_and_pickled_with_their_resets() -> None:
    told = Limits(ALL).reset()
    for other in (copy.copy(told), copy.deepcopy(told), pickle.loads(pickle.dumps(told))):
        assert (other, other.resets) == (told, 1)
