"""The judge of the campaign: what must be refused, what must be let in, and what may be either."""

import pytest

from tests.campaign.truth import NO_ANSWER, READ, WRITE, Finding, Request, Truth, Truths


def asked(began: int, ended: int, status: int, route: int = READ) -> Request:
    return Request(began, ended, 0, 0, route, status)


@pytest.fixture
def truths() -> Truths:
    """A key that is let in from 10 on, being taken away from 20 to 30, refused until 40, being given back until 50."""
    truths = Truths()
    moments = [(10, Truth.LET_IN), (20, Truth.OPEN), (30, Truth.REFUSED), (40, Truth.OPEN), (50, Truth.LET_IN)]
    for at, truth in moments:
        truths.note(0, at, truth)
    return truths


@pytest.mark.parametrize("status", [200, 204])
def test_a_request_that_began_after_the_verb_returned_and_was_let_in_is_a_wrong_pass(
    truths: Truths, status: int
) -> None:
    assert truths.judge(asked(30, 39, status)) is Finding.WRONG_PASS


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_request_that_was_not_let_in_while_its_key_was_good_is_a_wrong_refusal(truths: Truths, status: int) -> None:
    assert truths.judge(asked(11, 19, status)) is Finding.WRONG_REFUSAL
    assert truths.judge(asked(50, 60, status)) is Finding.WRONG_REFUSAL


@pytest.mark.parametrize("span", [(5, 8), (5, 12), (12, 25), (22, 28), (22, 35), (35, 45), (12, 55), (42, 60)])
@pytest.mark.parametrize("status", [200, 401])
def test_a_request_that_overlaps_a_verb_may_be_answered_either_way(
    truths: Truths, span: tuple[int, int], status: int
) -> None:
    assert truths.judge(asked(*span, status)) is Finding.UNCHECKED


def test_right_answers_and_outages_are_told_apart(truths: Truths) -> None:
    assert truths.judge(asked(30, 39, 401)) is Finding.RIGHTLY_REFUSED
    assert truths.judge(asked(11, 19, 200)) is Finding.RIGHTLY_LET_IN
    assert truths.judge(asked(11, 19, 503)) is Finding.UNAVAILABLE
    assert truths.judge(asked(11, 19, NO_ANSWER)) is Finding.NO_ANSWER


def test_each_route_has_a_truth_of_its_own(truths: Truths) -> None:
    truths.note(0, 60, Truth.REFUSED, WRITE)
    assert truths.judge(asked(61, 62, 200, READ)) is Finding.RIGHTLY_LET_IN
    assert truths.judge(asked(61, 62, 200, WRITE)) is Finding.WRONG_PASS


def test_moments_can_only_be_noted_in_order(truths: Truths) -> None:
    with pytest.raises(ValueError, match="in order"):
        truths.note(0, 49, Truth.OPEN)
