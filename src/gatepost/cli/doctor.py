"""`gatepost doctor`: what is the matter, and what to do."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from typer import Exit, Option

from gatepost.addresses import ANYBODY, REMEDY, UNIX, Addresses, Seen, environment_believes_anybody
from gatepost.base import BadInputError
from gatepost.cli.codes import ExitCode
from gatepost.cli.input import RedisOptions, load_addresses, verb
from gatepost.cli.output import STATUS, is_terminal, print_json, print_line, print_pairs, print_rows
from gatepost.health import Finding, Status, WorkerStatus

SAME_SECONDS = 1.0
"""Seconds that clocks may be apart and still be called the same."""

_SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_WORKER_HEADS = ("worker", "state", "applied", "last seen", "max staleness")


@verb
async def doctor(
    options: RedisOptions,
    *,
    peer: Annotated[
        str | None,
        Option("--peer", metavar="ADDRESS", help="Tell also where a request would be seen to be from that this sends."),
    ] = None,
    hops: Annotated[
        str | None, Option("--hops", metavar="TEXT", help="What that request has in X-Forwarded-For, or Forwarded.")
    ] = None,
) -> None:
    """Tell how database, tables, Redis and workers do, and what to do about it.

    With --peer it tells by which rule of the app's middleware (--app) an address is seen, as keys are held against it.

    Exits 0 where requests can be decided (warnings are none of a probe's business), 1 where something needed is down,
    4 where the tables do not fit.
    """
    addresses = (None if options.app is None else load_addresses(options.app, "--app")) or Addresses()
    seen = _seen(addresses, peer, hops)
    options.check_file()
    status = await options.keys().status()
    if options.as_json:
        told = {"address": seen.address, "rule": seen.rule} if seen else {"rule": addresses.rule}
        print_json({"database_url": options.database_name(), **_told(status), "addresses": told})
    else:
        pairs = (
            [("addresses", addresses.rule)] if seen is None else [("seen", seen.address or "none"), ("by", seen.rule)]
        )
        _print(status, options.database_name(), pairs)
    codes = {finding.code for finding in status.findings if finding.severity == "error"}
    if codes:
        raise Exit(ExitCode.SCHEMA if "schema" in codes else ExitCode.FAILED)


def _seen(addresses: Addresses, peer: str | None, hops: str | None) -> Seen | None:
    """Where a request would be seen to be from; `None` = that is not asked. Raises `BadInputError`."""
    if peer is None:
        if hops is not None:
            raise BadInputError("--hops goes with --peer: who sends that header?")
        return None
    text = [] if hops is None else [(addresses.header.encode(), hops.encode("utf-8", "replace"))]
    return addresses.seen({"client": None if peer == UNIX else (peer, 0), "headers": text})


def _of_environment() -> Sequence[Finding]:
    """What servers that are started here would do wrong."""
    if not environment_believes_anybody(os.environ):
        return ()
    return (Finding("warning", "forwarded_allow_ips", f"{ANYBODY}.", f"{REMEDY[0].upper()}{REMEDY[1:]}."),)


def _told(status: Status) -> dict[str, Any]:
    """The status for programs, with what the environment says."""
    told = dict(status.as_dict())
    return told | {"findings": [*told["findings"], *(asdict(each) for each in _of_environment())]}


def _print(status: Status, name: str, addresses: Sequence[tuple[str, str]]) -> None:
    print_pairs([*_pairs(status, name), *addresses, (STATUS, "ready" if status.ready else "not ready")])
    if status.workers:
        print_line("")
        print_rows(_WORKER_HEADS, [_worker_row(worker) for worker in status.workers])
    print_line("")
    findings = [*status.findings, *_of_environment()]
    if not is_terminal():
        print_rows((), [(each.severity, each.code, each.sentence, each.remedy) for each in findings])
        return
    for finding in findings:
        print_line(f"{finding.severity}: {finding.sentence}", _SEVERITY_STYLES[finding.severity])
        print_line(finding.remedy)
        print_line("")
    if not findings:
        print_line("Nothing to mend.", "green")


def _pairs(status: Status, name: str) -> Sequence[tuple[str, str]]:
    database, redis = status.database, status.redis
    hits = "compiled" if status.compiled else "in Python"
    pairs = [("gatepost", status.version), ("memory hits", hits), ("database", name)]
    if not database.reachable:
        pairs.append(("round trip", "none: it does not answer"))
    elif database.seconds is not None:
        pairs.append(("round trip", f"{database.seconds * 1000:.1f} ms"))
    if database.reachable:
        at = "none" if database.revision is None else f"revision {database.revision}"
        pairs.append(("tables", at if database.fits else f"{at}; revision {database.needed} is needed"))
    if database.seq is not None:
        pairs.append(("last change", str(database.seq)))
    if database.clock_ahead is not None:
        pairs.append(("clocks", _clocks_text(database.clock_ahead)))
    if database.triggers is not None:
        pairs.append(("triggers", "there" if database.triggers else "none"))
    if database.pooler not in {None, "none"}:
        pairs.append(("pooler", f"{database.pooler} mode"))
    pairs.append(("redis", "none" if redis.state == "none" else _redis_text(status)))
    if status.workers is not None:
        alive = sum(worker.state != "silent" for worker in status.workers)
        silent = len(status.workers) - alive
        pairs.append(("workers", f"{alive} alive" + (f", {silent} silent" if silent else "")))
    if status.targets:
        pairs.append(("webhooks", _targets_text(status)))
    return pairs


def _targets_text(status: Status) -> str:
    waiting, dead = sum(each.waiting for each in status.targets), sum(each.dead for each in status.targets)
    many = "1 target" if len(status.targets) == 1 else f"{len(status.targets)} targets"
    return f"{many}, {waiting} messages on their way, {dead} given up"


def _clocks_text(ahead: float) -> str:
    if abs(ahead) < SAME_SECONDS:
        return "the same"
    return f"the database's is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"


def _redis_text(status: Status) -> str:
    redis = status.redis
    return "does not answer" if redis.seconds is None else f"answers in {redis.seconds * 1000:.1f} ms"


def _worker_row(worker: WorkerStatus) -> Sequence[str]:
    state = f"{worker.behind} behind" if worker.state == "behind" else worker.state
    return (
        worker.name,
        state,
        "-" if worker.acked_seq is None else str(worker.acked_seq),
        f"{worker.silent:.1f} s ago" if is_terminal() else worker.seen_at.isoformat(),
        f"{worker.max_staleness:g} s",
    )
