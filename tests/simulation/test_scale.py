"""What many workers ask of one database grows with their number, and by how much for each: counted on a simulated site.

The figures of docs/scale.md are made by the same simulation, so the small sites among them are made here again.
"""

import pytest

from gatepost.freshness.freshness import Freshness
from gatepost.freshness.membership import WATCHED_MAX, Membership
from gatepost.freshness.propagation import Propagations
from tests.simulation.breaks import Break, Edit
from tests.simulation.scale import PAGE, SMALL, row, sites, table
from tests.simulation.site import Call, Seen, Site, play

WORKERS = 100

OWN_MAX = 24
"""Statements of a call that do not depend on how many workers there are: its transaction and its looks."""


def check(seen: Seen) -> None:
    """That the database is asked for no more than what the rule of freshness needs."""
    check_rest(seen)
    for call in seen.calls:
        check_call(seen.site, call)
    assert seen.given_up == 0


def check_rest(seen: Seen) -> None:
    """A poll each `poll_interval`, one sign of life and one watch each period; no watch reads more than its part."""
    site, rest = seen.site, seen.rest
    polls = site.workers * site.period / site.poll_interval
    asked = rest.statements
    assert set(asked) == {"Database.read_position", "Workers.renew", "Workers.read_after"}
    assert polls <= asked["Database.read_position"] <= 1.15 * polls
    assert 0.7 * site.workers <= asked["Workers.renew"] <= site.workers
    assert 0.7 * site.workers <= asked["Workers.read_after"] <= site.workers
    assert rest.rows["Workers.read_after"] <= WATCHED_MAX * asked["Workers.read_after"]


def check_call(site: Site, call: Call) -> None:
    """A poll, a read of the log and an acknowledgement of each worker, beside what it does at rest, and little more."""
    load, asked = call.load, call.load.statements
    at_rest = 1.15 * site.workers * call.seconds
    assert asked["Database.read_events"] == site.workers
    assert site.workers <= asked["Database.read_position"] <= 1.02 * site.workers + at_rest / site.poll_interval
    assert site.workers <= asked["Workers.renew"] <= 1.02 * site.workers + at_rest / site.period
    each = ("Database.read_position", "Database.read_events", "Workers.renew", "Workers.read_after")
    assert asked.total() - sum(asked[what] for what in each) <= OWN_MAX
    assert asked["Workers.read_all"] == 1
    looks = asked["Workers.read_all"] + asked["Workers.read_acked"]
    assert load.rows["Workers.read_all"] + load.rows["Workers.read_acked"] == looks * site.workers
    assert call.acknowledged == site.workers
    assert call.seconds < (0.2 if site.doorbell else site.poll_interval + 0.3)


@pytest.mark.parametrize("doorbell", [True, False], ids=["doorbell", "polls only"])
@pytest.mark.parametrize("workers", [WORKERS // 2, WORKERS])
def test_what_a_site_asks_of_its_database_is_so_much_for_each_worker(workers: int, doorbell: bool) -> None:
    check(play(Site(workers, doorbell)))


WORSE = (
    Break(
        "each poll is acknowledged",
        (Edit(Membership, "is_due", "> self._max_staleness * RENEW_FACTOR", "> 0"),),
    ),
    Break("each poll watches", (Edit(Membership, "watch", "self._clock() < self._watch_at", "False"),)),
    Break(
        "the log is read twice",
        (
            Edit(
                Freshness,
                "_apply_news",
                "            log = await self._apply_events(self.applied, position, gently=True)\n",
                "            log = await self._apply_events(self.applied, position, gently=True)\n" * 2,
            ),
        ),
    ),
    Break(
        "each look reads all rows",
        (Edit(Propagations, "_look", "_ALL if spread.waiting is None else _ACKED", "_ALL"),),
    ),
    Break("looks do not become rarer", (Edit(Propagations, "follow", "pause * PAUSE_FACTOR", "pause"),)),
)


@pytest.mark.parametrize("worse", WORSE, ids=lambda worse: worse.name)
def test_those_counts_are_others_where_the_code_is_made_worse(worse: Break) -> None:
    with worse.applied():
        seen = play(Site(WORKERS // 2, doorbell=False, calls=1))
    with pytest.raises(AssertionError):
        check(seen)


def test_watches_as_they_were_read_the_whole_table() -> None:
    seen = play(Site(WORKERS, as_it_was=True, calls=1))
    with pytest.raises(AssertionError):
        check_rest(seen)


def test_where_many_hear_the_doorbell_they_do_not_come_all_at_once() -> None:
    now, as_it_was = (play(Site(2 * WORKERS, as_it_was=was, calls=1)) for was in (False, True))
    assert now.calls[0].load.longest_wait < as_it_was.calls[0].load.longest_wait / 2


def test_the_small_sites_of_the_page_are_what_the_simulation_gives() -> None:
    lines = table(PAGE.read_text()).splitlines()
    for site in sites(SMALL):
        assert row(play(site)) in lines
