"""Defects, each put into the real deliverer for a while: the simulated processes must then do what must not be."""

from collections.abc import Sequence

from gatepost.webhooks import deliverer
from gatepost.webhooks.deliverer import Deliverer
from tests.simulation.breaks import Edit, Swap
from tests.webhooks.simulated import PLANS

WORLDS = 2 * PLANS
"""In so many a defect must be found."""

BREAKS: dict[str, Sequence[Edit | Swap]] = {
    "a deliverer twice: whoever has webhooks sends": [Swap(Deliverer, "delivers", property(lambda _: True))],
    "a deliverer twice: a lease that was not given counts": [
        Edit(Deliverer, "_lead", 'if took else float("-inf")', "")
    ],
    "a deliverer twice: a lease counts from its answer": [
        Edit(Deliverer, name, "self._held_until = begun +", "self._held_until = self._clock() +")
        for name in ("_lead", "_queue", "_sweep")
    ],
    "a deliverer twice: attempts begin until the lease is over": [Swap(deliverer, "SEND_SECONDS_MAX", 0.0)],
    "a deliverer twice: what was read is sent however late": [
        Edit(Deliverer, "_attempt", "if not self.delivers:", "if False:")
    ],
    "a message is removed before it has arrived": [
        Edit(Deliverer, "_pump", "if how is not None and how.error is None]", "if how is not None]")
    ],
    "what was not sent counts as arrived": [
        Edit(Deliverer, "_pump", "if how is not None and how.error is None]", "if how is None or how.error is None]")
    ],
    "a message that has arrived stays": [Edit(Deliverer, "_pump", "if arrived:", "if False:")],
    "a message is given up at its first failure": [
        Edit(Deliverer, "_put_off", "delivery.attempts >= len(to.delays)", "True")
    ],
    "one look at the log is all": [Edit(Deliverer, "_forever", "while True:", "for _ in range(20):")],
}
