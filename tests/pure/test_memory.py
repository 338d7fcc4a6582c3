"""The memory tier: bounded, first in first out, and no flood of unknown digests pushes keys out."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gatepost.base.errors import BadInputError
from gatepost.base.record import Absent, Found, Record
from gatepost.lookup import memory
from gatepost.lookup.memory import ABSENT_ENTRIES_MAX, Bounded, MemoryTier
from tests.pure.records import record

FOREVER = math.inf


def digest(number: int) -> bytes:
    """A digest, 32 bytes."""
    return number.to_bytes(32)


def held(tier: MemoryTier, number: int) -> Found | None:
    """What the tier answers for a digest, whatever the time."""
    return tier.get(digest(number), 0.0)


class Model:
    """The rules of the tier, as plainly as can be: lists, oldest first."""

    def __init__(self, entries: int) -> None:
        self.entries = entries
        self.records: list[tuple[bytes, Found]] = []
        self.absent: list[tuple[bytes, Found]] = []

    def find(self, key: bytes) -> Found | None:
        return next((found for known, found in self.records + self.absent if known == key), None)

    def put(self, key: bytes, found: Found) -> None:
        old = self.find(key)
        if self.entries == 0 or (old is not None and found.as_of < old.as_of):
            return
        mine, other = (self.records, self.absent) if isinstance(found, Record) else (self.absent, self.records)
        other[:] = [pair for pair in other if pair[0] != key]
        for place, (known, _) in enumerate(mine):
            if known == key:
                mine[place] = (key, found)
                return
        if len(mine) == self.entries:
            del mine[: max(1, self.entries // 100)]
        mine.append((key, found))

    def drop(self, key: bytes, below: int) -> None:
        old = self.find(key)
        if old is not None and old.as_of < below:
            self.records = [pair for pair in self.records if pair[0] != key]
            self.absent = [pair for pair in self.absent if pair[0] != key]


numbers = st.integers(0, 12)
seqs = st.integers(0, 5)


class MemoryMachine(RuleBasedStateMachine):
    """Any calls in any order: the tier is as the model."""

    tier = MemoryTier(0)
    model = Model(0)

    @initialize(entries=st.sampled_from([0, 1, 2, 5, 8]))
    def start(self, entries: int) -> None:
        self.tier = MemoryTier(entries)
        self.model = Model(entries)

    @rule(number=numbers, as_of=seqs)
    def put_a_record(self, number: int, as_of: int) -> None:
        found = record(as_of, FOREVER)
        self.tier.put(digest(number), found)
        self.model.put(digest(number), found)

    @rule(number=numbers, as_of=seqs)
    def put_an_absent(self, number: int, as_of: int) -> None:
        found = Absent(as_of, FOREVER)
        self.tier.put(digest(number), found)
        self.model.put(digest(number), found)

    @rule(flood=st.lists(st.integers(100, 200), max_size=30))
    def flood_with_unknown_digests(self, flood: list[int]) -> None:
        before = dict(self.tier.records)
        for number in flood:
            self.tier.put(digest(number), Absent(9, FOREVER))
            self.model.put(digest(number), Absent(9, FOREVER))
        assert dict(self.tier.records) == before

    @rule(number=numbers, below=seqs)
    def drop(self, number: int, below: int) -> None:
        self.tier.drop(digest(number), below)
        self.model.drop(digest(number), below)
        left = held(self.tier, number)
        assert left is None or left.as_of >= below

    @rule()
    def clear(self) -> None:
        self.tier.clear()
        self.model = Model(self.model.entries)

    @invariant()
    def it_is_as_the_model(self) -> None:
        assert list(self.tier.records.items()) == self.model.records
        assert list(self.tier.absent.items()) == self.model.absent

    @invariant()
    def it_is_bounded_and_no_digest_is_held_twice(self) -> None:
        assert len(self.tier.records) <= self.model.entries
        assert len(self.tier.absent) <= self.model.entries
        assert not self.tier.records.keys() & self.tier.absent.keys()


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@given(st.integers(1, 400), st.lists(st.integers(0, 2000), max_size=600))
@settings(max_examples=50)
def test_never_more_than_its_entries_are_remembered(entries: int, puts: list[int]) -> None:
    tier = MemoryTier(entries)
    found = record(1, FOREVER)
    for number in puts:
        tier.put(digest(number), found)
        assert len(tier.records) <= entries
        assert held(tier, number) is found


@given(st.sets(st.integers(0, 99), min_size=1, max_size=20), st.lists(st.integers(100, 10_000), max_size=300))
def test_a_flood_of_unknown_digests_pushes_no_key_out(keys: set[int], flood: list[int]) -> None:
    tier = MemoryTier(20)
    found = record(1, FOREVER)
    for number in keys:
        tier.put(digest(number), found)
    for number in flood:
        tier.put(digest(number), Absent(2, FOREVER))
    assert all(held(tier, number) is found for number in keys)
    assert len(tier.absent) <= 20


def test_unknown_digests_have_a_bound_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "ABSENT_ENTRIES_MAX", 50)
    tier = MemoryTier(100_000)
    for number in range(500):
        tier.put(digest(number), Absent(1, FOREVER))
    assert len(tier.absent) == 50
    assert ABSENT_ENTRIES_MAX == 10_000
    assert isinstance(held(tier, 499), Absent)


def test_the_first_in_goes_first_and_a_hundredth_at_a_time() -> None:
    tier = MemoryTier(300)
    found = record(1, FOREVER)
    for number in range(300):
        tier.put(digest(number), found)
    held(tier, 0)  # reading keeps nothing longer
    tier.put(digest(1), found)  # nor does replacing
    tier.put(digest(1000), found)
    assert [int.from_bytes(key) for key in tier.records] == [*range(3, 300), 1000]
    for number in (1001, 1002):
        tier.put(digest(number), found)
    assert held(tier, 3) is found
    tier.put(digest(1003), found)
    assert held(tier, 3) is None
    assert held(tier, 6) is found


def test_no_entries_remember_nothing() -> None:
    tier = MemoryTier(0)
    tier.put(digest(1), record(1, FOREVER))
    tier.put(digest(2), Absent(1, FOREVER))
    assert (held(tier, 1), held(tier, 2)) == (None, None)
    assert len(tier.records) + len(tier.absent) == 0


def test_a_negative_number_of_entries_is_refused() -> None:
    with pytest.raises(BadInputError, match="memory_entries must be 0 or more, not -1"):
        MemoryTier(-1)


kinds = st.sampled_from(["record", "absent"])


@given(st.lists(st.tuples(kinds, st.integers(0, 6)), min_size=1, max_size=10))
def test_nothing_older_ever_takes_the_place_of_something_newer(puts: list[tuple[str, int]]) -> None:
    tier = MemoryTier(4)
    newest: Found | None = None
    for kind, as_of in puts:
        found: Found = record(as_of, FOREVER) if kind == "record" else Absent(as_of, FOREVER)
        tier.put(digest(1), found)
        if newest is None or as_of >= newest.as_of:
            newest = found
        assert held(tier, 1) is newest


@pytest.mark.parametrize("found", [record(1, 10.0), Absent(1, 10.0)])
def test_nothing_is_answered_past_its_time(found: Found) -> None:
    tier = MemoryTier(4)
    tier.put(digest(1), found)
    assert tier.get(digest(1), math.nextafter(10.0, 0)) is found
    assert tier.get(digest(1), 10.0) is None
    assert tier.get(digest(1), 11.0) is None
    assert tier.get(digest(2), 0.0) is None


@pytest.mark.parametrize("found", [record(5, FOREVER), Absent(5, FOREVER)])
def test_a_change_drops_what_is_older_than_it_and_of_that_digest_only(found: Found) -> None:
    tier = MemoryTier(4)
    tier.put(digest(1), found)
    tier.put(digest(2), found)
    tier.drop(digest(1), 5)
    assert held(tier, 1) is found
    tier.drop(digest(1), 6)
    assert held(tier, 1) is None
    assert held(tier, 2) is found
    tier.drop(digest(3), 6)
    tier.clear()
    assert held(tier, 2) is None


class Counting(Bounded[int]):
    """Counts how often the dict is walked, and what is taken out."""

    def __init__(self, entries: int) -> None:
        super().__init__(entries)
        self.walks = 0
        self.removals = 0

    def __iter__(self) -> Iterator[bytes]:
        self.walks += 1
        return super().__iter__()

    def __delitem__(self, key: bytes) -> None:
        self.removals += 1
        super().__delitem__(key)


@pytest.mark.parametrize("entries", [1, 99, 100, 1_000, 20_000])
def test_a_flood_costs_one_walk_a_batch_and_one_removal_an_insertion(entries: int) -> None:
    bounded = Counting(entries)
    flood = 3 * entries + 200
    for number in range(flood):
        bounded.put(digest(number), number)
    batch = max(1, entries // 100)
    assert bounded.walks <= (flood - entries) / batch + 1
    assert bounded.removals <= flood
    assert entries - batch <= len(bounded) <= entries


def test_reading_and_replacing_in_a_full_tier_walk_nothing() -> None:
    bounded = Counting(100)
    for number in range(100):
        bounded.put(digest(number), number)
    for number in range(100):
        bounded.put(digest(number), number)
        assert bounded.get(digest(number)) == number
    assert (bounded.walks, bounded.removals) == (0, 0)


def test_the_bound_is_that_of_the_tier_and_not_of_the_sum() -> None:
    tier = MemoryTier(3)
    found: Any = record(1, FOREVER)
    for number in range(3):
        tier.put(digest(number), found)
        tier.put(digest(10 + number), Absent(1, FOREVER))
    assert len(tier.records) == len(tier.absent) == 3
