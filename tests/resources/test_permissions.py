"""Permissions of which some hold on certain resources alone: what holds where, narrowed, and compared."""

import copy
import pickle
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from gatepost.base.resources import (
    Granted,
    Resources,
    by_roles_of,
    by_roles_text,
    covers_granted,
    granted,
    granted_of,
    names_of_granted,
    narrowed,
    reaches,
)

NAMES = ("A", "B", "C")
ASKED = ("dir:/a", "dir:/a/b", "dir:/a/b/c", "dir:/b", "dir:/b/x", "col:x")
resources = st.one_of(
    st.none(), st.lists(st.sampled_from(("dir:/a/*", "dir:/a", "dir:/b/*", "col:x", "dir:/*")), max_size=3).map(tuple)
)
names = st.frozensets(st.sampled_from(NAMES))
limited = st.dictionaries(st.sampled_from(NAMES), st.just(("dir:/a/*", "dir:/b")), max_size=2)
Grant = tuple[frozenset[str], Resources | None, Mapping[str, Resources]]
grants = st.tuples(names, resources, limited)


def holds(grant: Grant, name: str, resource: str) -> bool:
    """What the words say."""
    held, own, by_roles = grant
    by_role = by_roles.get(name)
    reached = all(each is None or reaches(each, resource) for each in (own, by_role))
    return name in held and reached


@given(grants)
def test_what_holds_where(grant: Grant) -> None:
    held = granted(*grant)
    for resource in ASKED:
        there = held.on(resource) if isinstance(held, Granted) else held
        assert there == {name for name in NAMES if holds(grant, name, resource)}
    assert frozenset(held) == {name for name in grant[0] if grant[1] is None and name not in grant[2]}, (
        "those everywhere"
    )
    assert names_of_granted(held) == grant[0]


@given(grants, names, resources)
def test_narrowing_takes_away_and_gives_nothing(grant: Grant, kept: frozenset[str], on: Resources | None) -> None:
    held = granted(*grant)
    left = narrowed(held, kept, on)
    assert covers_granted(held, left)
    for resource in ASKED:
        there = left.on(resource) if isinstance(left, Granted) else left
        assert there == {
            name for name in kept if holds(grant, name, resource) and (on is None or reaches(on, resource))
        }


@given(grants, grants)
def test_what_is_covered_is_nowhere_more(one: Grant, other: Grant) -> None:
    outer, inner = granted(*one), granted(*other)
    if covers_granted(outer, inner):
        assert inner <= outer
        for resource in ASKED:
            assert {name for name in NAMES if holds(other, name, resource)} <= {
                name for name in NAMES if holds(one, name, resource)
            }
    assert covers_granted(outer, outer)


@given(grants)
def test_columns_and_copies_tell_the_same(grant: Grant) -> None:
    held, own, by_roles = grant
    told = {name: each for name, each in by_roles.items() if name in held}
    assert by_roles_of(by_roles_text(told), held) == told
    stored = None if own is None else "[" + ",".join(f'"{each}"' for each in sorted({*own})) + "]"
    again = granted_of(" ".join(sorted(held)), stored, by_roles_text(told))
    plain = granted(held, None if own is None else tuple(sorted({*own})), told)
    for each in (again, copy.deepcopy(again), pickle.loads(pickle.dumps(again))):
        assert (each, getattr(each, "limited", None)) == (plain, getattr(plain, "limited", None))


@given(grants, grants)
def test_equal_are_those_that_hold_on_the_same(one: Grant, other: Grant) -> None:
    """What is remembered by a set of permissions tells them apart, also where no name holds everywhere in either."""
    left, right = granted(*one), granted(*other)
    if left == right:
        assert hash(left) == hash(right)
        for resource in ASKED:
            assert all(holds(one, name, resource) == holds(other, name, resource) for name in NAMES)
    assert (left != right) is not (left == right)
    again = granted(one[0], one[1], dict(reversed([*one[2].items()])))
    assert (left, hash(left)) == (again, hash(again))


def test_what_nobody_can_tell_holds_as_everything() -> None:
    held = granted(frozenset(NAMES), None, {"A": ("dir:/a/*",)})
    assert isinstance(held, Granted)
    for resource in ("dir:/a/../../x", "dir:/a/%2e%2e/x", "nothing", "", "dir:", "dir:/a/\\x"):
        assert held.on(resource) == {"B", "C"}
    assert held.on("dir:/b/../a/x") == set(NAMES)


def test_what_somebody_wrote_by_hand_and_wrongly_holds_on_nothing() -> None:
    for text in ("{", "[]", '""', "null", "[3]", "7", '"x"', '[["A"]]'):
        assert by_roles_of(text, NAMES) == dict.fromkeys(NAMES, ())
    assert by_roles_of('{"A": ["*"], "B": ["dir:/b"], "C": 3}', NAMES) == {"A": (), "B": ("dir:/b",), "C": ()}
    assert frozenset(granted_of("A B", None, "[3]")) == frozenset()
    assert names_of_granted(granted_of("A B", None, "[3]")) == {"A", "B"}
