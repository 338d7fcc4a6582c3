"""How long the edit of a role takes that 10,000 keys hold, until no worker gives them what it took away any more.

From call to return; and the requests of other keys meanwhile. The arrangement of `deactivate`.
"""

from collections.abc import Sequence
from dataclasses import replace

from tests.campaign.latency import BUSY_PAUSE, PLAN, role_rounds, serve_good_keys
from tests.campaign.site import running

from benchmarks.measured import Table
from benchmarks.rounds import Plan, ratio, series

WORKERS = 4
KEYS, KEYS_QUICK = 10_000, 300
ROUNDS, ROUNDS_QUICK = 5, 1
LIMIT_SECONDS = 3.0
WHOLE = "gatepost"
MEANWHILE, BEFORE = "gatepost, while the role is edited", "gatepost, before"
LIMIT_OTHERS = 2.0


async def measure(plan: Plan) -> Sequence[Table]:
    """Seconds, a value a call."""
    keys = plan.pick(KEYS, KEYS_QUICK)
    async with running(replace(PLAN, workers=WORKERS)) as site:
        await serve_good_keys(site, BUSY_PAUSE)
        plan.tell(f"{WORKERS} workers: a role of {keys:,} keys is edited")
        told = await role_rounds(site, keys, plan.pick(ROUNDS, ROUNDS_QUICK))
    rounds = told["rounds"]
    if any(each["good_refused"] or each["acknowledged"] + each["expired"] != WORKERS for each in rounds):
        raise RuntimeError(f"other keys were refused, or workers did not say that they act on it: {rounds}")
    others = {
        name: [each[of]["p99"] for each in rounds]
        for name, of in ((MEANWHILE, "good_during_ms"), (BEFORE, "good_before_ms"))
    }
    return [
        Table(
            title=f"roles.update() of a role that {keys:,} keys hold, {WORKERS} workers, from call to return",
            unit="s",
            series=series(
                {WHOLE: [each["seconds"] for each in rounds]}, limits={} if plan.quick else {WHOLE: LIMIT_SECONDS}
            ),
            note="One transaction, one event for each secret. All processes share this machine's cores.",
        ),
        Table(
            title="What 99 of 100 requests with other keys take at most, meanwhile and before",
            unit="ms",
            series=series(others),
            ratios=(ratio(others, MEANWHILE, BEFORE, limit=None if plan.quick else LIMIT_OTHERS),),
            contest=False,
        ),
    ]
