"""What one worker counts in memory, by what key, day, route and outcome; bounded."""

from datetime import UTC, date, datetime

import pytest

from gatepost import Outcome
from gatepost.base import secret_id
from gatepost.compiled import is_built
from gatepost.usage import UsageCounter

MIDNIGHT = datetime(2026, 11, 29, tzinfo=UTC).timestamp()
BOOT = MIDNIGHT - 3600.0
"""The machine was started an hour before: the boot clock is at 3,600 at midnight."""

DIGEST = bytes(range(32))
KEY = "4fT0aK9sQ2Lm"


class Woken(list[bool]):
    """What a counter asked for."""

    def __call__(self, full: bool) -> None:
        self.append(full)


def counter(woken: Woken | None = None, entries: int = 100) -> UsageCounter:
    return UsageCounter(lambda: 3600.0, lambda: BOOT, Woken() if woken is None else woken, entries=entries)


def test_requests_are_counted_apart_by_all_that_tells_them_apart() -> None:
    counts = counter()
    one = (Outcome.VALID, KEY, DIGEST, 3600.0, "/a/{id}", ("192.0.2.1", 4711))
    others = [
        (Outcome.DEACTIVATED, *one[1:]),
        (*one[:1], "5fT0aK9sQ2Lm", *one[2:]),
        (*one[:2], bytes(32), *one[3:]),
        (*one[:3], 3599.0, *one[4:]),
        (*one[:4], "/b", *one[5:]),
    ]
    for each in (one, one, one, *others):
        counts.count(*each)
    uses = counts.take()
    assert sorted(use.count for use in uses) == [1, 1, 1, 1, 1, 3]
    [thrice] = [use for use in uses if use.count == 3]
    assert (thrice.key_id, thrice.route, thrice.outcome) == (KEY, "/a/{id}", "valid")
    assert (thrice.secret, thrice.day) == (secret_id(DIGEST), date(2026, 11, 29))
    assert (thrice.last_at.timestamp(), thrice.last_address) == (MIDNIGHT, "192.0.2.1")
    assert {use.day for use in uses} == {date(2026, 11, 28), date(2026, 11, 29)}
    assert counts.take() == [], "what was taken is counted no more"


def test_a_request_counts_for_the_day_in_which_it_began_however_late_it_ends() -> None:
    counts = counter()
    for began in (3700.0, 3599.9, 3701.0, 3600.0 + 86400):
        counts.count(Outcome.VALID, KEY, DIGEST, began, "", None)
    assert {use.day: use.count for use in counts.take()} == {
        date(2026, 11, 28): 1,
        date(2026, 11, 29): 2,
        date(2026, 11, 30): 1,
    }


def test_the_last_moment_is_that_of_the_request_that_began_last_with_its_address() -> None:
    counts = counter()
    for began, client in ((3610.0, ("192.0.2.1", 1)), (3620.0, ["192.0.2.2", 2]), (3615.0, "192.0.2.3")):
        counts.count(Outcome.VALID, KEY, DIGEST, began, "", client)
    [use] = counts.take()
    assert (use.last_at.timestamp(), use.last_address) == (MIDNIGHT + 20, "192.0.2.2")


@pytest.mark.parametrize("client", [None, (), ("", 1), (None, 1), 7])
def test_an_address_that_nobody_knows_is_none(client: object) -> None:
    counts = counter()
    counts.count(Outcome.VALID, KEY, DIGEST, 3600.0, "", client)
    assert [use.last_address for use in counts.take()] == [None]


def test_a_full_counter_asks_to_be_written_and_still_counts_every_request() -> None:
    woken = Woken()
    counts = counter(woken, entries=10)
    for number in range(1000):
        counts.count(Outcome.VALID, f"{number:012}", DIGEST, 3600.0, "/a", None)
    counts.count(Outcome.EXPIRED, "another", DIGEST, 3600.0, "/a", None)
    assert len(counts) == 12, "ten, and one for each outcome of what found no room"
    uses = counts.take()
    assert sum(use.count for use in uses) == 1001
    assert {(use.key_id, use.secret, use.route): use.count for use in uses if not use.key_id} == {("", "", ""): 1}
    assert [use.count for use in uses if not use.key_id and use.outcome == "valid"] == [990]
    assert woken[:2] == [False, True]


def test_what_is_counted_first_wakes_whoever_writes_once() -> None:
    woken = Woken()
    counts = counter(woken)
    for _ in range(3):
        counts.count(Outcome.VALID, KEY, DIGEST, 3600.0, "", None)
    assert woken == [False]
    counts.take()
    counts.count(Outcome.VALID, KEY, DIGEST, 3600.0, "", None)
    assert woken == [False, False]


def test_memory_hits_find_the_cell_of_their_day_by_the_digest_and_of_no_other() -> None:
    counts = counter()
    counts.count(Outcome.VALID, KEY, DIGEST, 3600.0, "", None)
    [cell] = counts.cells.values()
    assert (counts.since, counts.until) == (3600.0, 3600.0 + 86400)
    counts.count(Outcome.VALID, KEY, DIGEST, 3599.0, "", None)
    assert list(counts.cells.values()) == [cell], "a request of yesterday ended late"
    counts.count(Outcome.VALID, KEY, bytes(32), 3600.0, "/routed", None)
    counts.count(Outcome.EXPIRED, KEY, bytes(32), 3600.0, "", None)
    assert list(counts.cells) == [DIGEST, (bytes(32), "/routed")], "what was let in, and no refusal"
    counts.count(Outcome.VALID, KEY, bytes(32), 3600.0 + 86400, "", None)
    assert list(counts.cells) == [bytes(32)]
    assert counts.since == 3600.0 + 86400
    counts.take()
    assert counts.cells == {}


def test_a_route_that_is_very_long_is_cut() -> None:
    counts = counter()
    counts.count(Outcome.VALID, KEY, DIGEST, 3600.0, "/" + "x" * 500, None)
    assert [len(use.route) for use in counts.take()] == [200]


def test_what_a_secret_is_called_tells_nothing_of_its_digest() -> None:
    assert len(secret_id(DIGEST)) == 12
    assert secret_id(DIGEST) != secret_id(bytes(32))
    assert secret_id(DIGEST) not in DIGEST.hex()


def test_cells_are_compiled_where_memory_hits_are() -> None:
    from gatepost.compiled import Cell, Tally, compiled  # noqa: PLC0415

    assert isinstance(counter(), Tally)
    assert (Cell.__module__ == "gatepost.compiled") == is_built() == (compiled._hit is not None)
