"""Defects, each put into the real code for a while: the simulated workers must let in too much, or lose too much."""

from collections.abc import Sequence

from gatepost.base import limits as values
from gatepost.limits import leases, limiter, rates, shared
from tests.limits.simulated import PLANS
from tests.simulation.breaks import Edit, Swap
from tests.simulation.world import current_process

WORLDS = 2 * PLANS
"""In so many a defect must be found."""

LEASE = "granted = await self._lessor.lease(name, period, units=quota.units, wanted=wanted, least=least)"


def _wall_time(_rates: rates.LocalRates) -> int:
    return int(current_process().wall() * 1_000_000)


BREAKS: dict[str, Sequence[Edit | Swap]] = {
    "a lease is returned twice": [
        Edit(
            leases.Leases,
            "close",
            "await self._lessor.give_back(unspent)",
            "await self._lessor.give_back(unspent + unspent)",
        )
    ],
    "a lease counts as given though the answer is lost": [
        Edit(
            leases.Leases,
            "_fetch",
            f"            {LEASE}",
            f"""\
            try:
                {LEASE}
            except UnavailableError:
                lease.left += wanted
                return""",
        )
    ],
    "a slot has no end of its own": [Swap(shared, "SLOT_SECONDS", 1e6)],
    "slots are not kept alive": [Edit(shared.SharedCounts, "_keep_all", "held = dict(self._held)", "held = {}")],
    "the local part is not divided": [
        Edit(rates.LocalRates, "_part", "interval = rate.interval * members", "members, interval = 1, rate.interval")
    ],
    "the local burst is not divided": [
        Edit(rates.LocalRates, "_part", "max(rate.burst // members,", "max(rate.burst,")
    ],
    "what is refused gets back more than it gave": [
        Edit(limiter.Limiter, "take", "lease.left += cost", "lease.left += 2 * cost")
    ],
    "what is let in gets it back too": [
        Edit(limiter.Limiter, "take", "if not let_in:\n                for", "if True:\n                for")
    ],
    "what is refused by one limit is taken from another": [Edit(limiter.Limiter, "take", "lease.left += cost", "pass")],
    "the clock is one that is set": [Swap(rates.LocalRates, "now", _wall_time)],
    "a lease is spent on the next day": [
        Edit(leases.Leases, "look", "not lease.period.begins <= now < lease.period.ends or", "")
    ],
    "a lease is spent on the next day, one by one": [
        Edit(leases.Leases, "spend", "if not begins <= now < ends:", "if False:")
    ],
    "one unit alone is not taken": [Edit(leases.Leases, "spend", "lease.left -= 1", "pass")],
    "what is refused later gets the whole unit back": [
        Edit(limiter.Limiter, "give_back", "elapsed = self._rates.now() - taken.at", "elapsed = 0")
    ],
    "a unit comes back early": [Swap(values, "MICROSECONDS", 900_000)],
}
