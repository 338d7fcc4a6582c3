"""How what is told to the outside does."""

from collections.abc import Iterator

from gatepost.base import TargetStatus
from gatepost.health.finding import Finding, span

LATE_SECONDS = 600.0
"""Seconds that a message may be on its way before it is told of."""

SILENT_SECONDS = 120.0
"""Seconds for which nobody may deliver: another takes over within one."""


def target_findings(target: TargetStatus) -> Iterator[Finding]:
    """What is the matter with it."""
    name = target.name
    if target.stopped is not None:
        yield Finding(
            "warning",
            "webhook_stopped",
            f"Nothing is sent to target {name} any more: it answered {target.stopped}.",
            f"Once it takes messages again: gatepost webhooks resume {name}. If it never will, take it out of the "
            f"app's targets, and: gatepost webhooks forget {name}",
        )
    elif target.silent_seconds > SILENT_SECONDS and (target.waiting or target.behind):
        yield Finding(
            "warning",
            "webhooks_silent",
            f"Nobody has delivered to target {name} for {span(target.silent_seconds)}.",
            "Open Webhooks(...) in the app's lifespan, or run: gatepost webhooks run MODULE:NAME. If nobody wants them "
            f"any more: gatepost webhooks forget {name}",
        )
    elif target.oldest_seconds > LATE_SECONDS:
        yield Finding(
            "warning",
            "webhook_late",
            f"Of {target.waiting} messages to target {name} the oldest is late by {span(target.oldest_seconds)}.",
            "The log of 'gatepost.webhooks' says what it answers. What is given up is kept: gatepost webhooks dead",
        )
    if target.dead:
        yield Finding(
            "note",
            "webhook_dead",
            f"{target.dead} messages to target {name} were given up.",
            f"Look at them: gatepost webhooks dead {name}. Send them again: gatepost webhooks resend {name}",
        )
