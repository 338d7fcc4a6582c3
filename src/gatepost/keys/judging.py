"""Judging secrets: what one opens, whatever I/O that takes, and what this worker would say of a digest."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatepost.base import (
    Absent,
    BadInputError,
    Outcome,
    Presented,
    Record,
    UnavailableError,
    Verdict,
    address_of,
    decide,
    of_another_address,
    of_another_environment,
    of_another_project,
)
from gatepost.keys.parts import Parts
from gatepost.rules import UNSET, Unset
from gatepost.temporary import Claims, TemporaryRecord, decide_temporary

if TYPE_CHECKING:
    from gatepost.health import WorkerAnswers
    from gatepost.keys.parts import Opened


def presented_text(secret: str, *, fresh: bool, address: str | None = None) -> Presented:
    """What is left of a secret that a verb was given as a text. Raises `BadInputError`."""
    if not isinstance(secret, str):
        raise BadInputError(f"secret must be a str, not {type(secret).__name__}")
    if address is not None and address_of(address) is None:
        raise BadInputError(f"address must be an IP address, such as '203.0.113.9', not {address!r:.60}", "address")
    return Presented(secret.encode("utf-8", "surrogatepass"), fresh=fresh, address=address)


async def verify(
    parts: Parts,
    presented: Presented,
    project: str | Unset | None = UNSET,
    *,
    count: bool = True,
    origin: str | None = None,
    subject: str | None = None,
) -> Verdict:
    """`APIKeys.verify`, which tells of it in full."""
    flushing = parts.opened().flushing if count else None
    began = 0.0 if flushing is None else flushing.counter.clock()
    outcome, key = await judge(parts, presented)
    if outcome is Outcome.VALID and isinstance(key, TemporaryRecord):
        outcome = key.outcome_for(presented.address, origin, subject)
    if outcome is Outcome.VALID and key is not None and not isinstance(project, Unset):
        outcome = Outcome.PROJECT_DENIED if of_another_project(key.project, project) else outcome
    if flushing is not None:
        key_id = (presented.key_id if key is None else key.id) or ""
        digest = (presented.digest if presented.claims is None else presented.claims.digest) if key_id else b""
        flushing.counter.count(outcome, key_id, digest, began, "", presented.address)
    return Verdict(outcome, key)


async def judge(parts: Parts, presented: Presented) -> tuple[Outcome, Record | None]:
    """What a secret opens where it was shown, with whatever I/O it takes: none for a text that was never made here, or
    says that its key is for another environment. One that is `fresh` is read from the database after this call,
    whatever is remembered.

    Raises `UnavailableError`.
    """
    opened = parts.opened()
    lookup, digest, is_shown = opened.lookup, presented.digest, presented.is_shown
    found = None if presented.fresh or presented.claims is not None else lookup.remembered(digest)
    if found is None:
        foreign, temporary = parts.settings.foreign_secrets, opened.temporary.read
        if not presented.may_exist(opened.format, foreign=foreign, temporary=temporary):
            return Outcome.INVALID, None
        if presented.claims is not None:
            return await _judge_temporary(opened, presented, is_shown=is_shown)
        if of_another_environment(presented.environment, parts.settings.environment):
            return Outcome.ENVIRONMENT_DENIED, None
        if not opened.freshness.started:
            await opened.serve()
        found = await (lookup.find_fresh(digest) if presented.fresh else lookup.seek(digest))
    elif isinstance(found, Absent):
        presented.recall(opened.format, foreign=parts.settings.foreign_secrets)
    outcome = decide(found, opened.freshness.database_now())
    if isinstance(found, Absent):
        return outcome, None
    if outcome is Outcome.VALID and of_another_address(found, presented.address):
        outcome = Outcome.ADDRESS_DENIED
    lookup.counts.opened += is_shown and outcome is Outcome.VALID
    return outcome, found


async def _judge_temporary(opened: "Opened", presented: Presented, *, is_shown: bool) -> tuple[Outcome, Record | None]:
    """As `judge`, of a temporary secret that is genuine: what is left of it beside the record of what it was made from.
    No I/O where memory holds that."""
    claims: Claims = presented.claims
    lookup = opened.lookup
    found = None if presented.fresh else lookup.remembered(claims.digest)
    if found is None:
        if not opened.freshness.started:
            await opened.serve()
        found = await (lookup.find_fresh(claims.digest) if presented.fresh else lookup.seek(claims.digest))
    outcome, record = decide_temporary(claims, found, opened.freshness.database_now())
    if record is None:
        return outcome, None
    if outcome is Outcome.VALID and not presented.fresh and presented.digest != claims.digest:
        lookup.remember_temporary(presented.digest, record)
    if outcome is Outcome.VALID and of_another_address(record, presented.address):
        outcome = Outcome.ADDRESS_DENIED
    lookup.counts.opened += is_shown and outcome is Outcome.VALID
    return outcome, record


async def testify(parts: Parts, digests: Sequence[bytes]) -> "WorkerAnswers":
    """`APIKeys.testify`, which tells of it in full."""
    from gatepost.health import Answer, WorkerAnswers  # noqa: PLC0415 - only where an auditor asks

    opened = parts.opened()
    await opened.serve()
    freshness, lookup = opened.freshness, opened.lookup
    worker, applied, lease = freshness.worker, freshness.applied, freshness.lease_seconds()
    results = await asyncio.gather(*map(lookup.witness, digests), return_exceptions=True)
    answers = {}
    for digest, found in zip(digests, results, strict=True):
        if isinstance(found, UnavailableError):
            answers[digest] = Answer(Outcome.UNAVAILABLE, None)
        elif isinstance(found, BaseException):
            raise found
        else:
            answers[digest] = Answer(decide(found, freshness.database_now()), found.as_of)
    return WorkerAnswers(worker, freshness.max_staleness, applied, lease, answers)
