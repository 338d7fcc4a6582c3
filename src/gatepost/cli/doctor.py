"""`gatepost doctor`: what is the matter, and what to do."""

from collections.abc import Sequence

from typer import Exit

from gatepost.base import Status, WorkerStatus
from gatepost.cli.failures import ExitCode
from gatepost.cli.input import RedisOptions
from gatepost.cli.output import STATUS, is_terminal, print_json, print_line, print_pairs, print_rows
from gatepost.cli.verb import verb

SAME_SECONDS = 1.0
"""Seconds that clocks may be apart and still be called the same."""

_SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_WORKER_HEADS = ("worker", "state", "applied", "last seen", "max staleness")


@verb
async def doctor(options: RedisOptions) -> None:
    """Tell how database, tables, Redis and workers do, and what to do about it.

    Exits 0 where requests can be decided (warnings are none of a probe's business), 1 where something needed is down,
    4 where the tables do not fit.
    """
    options.check_file()
    status = await options.keys().status()
    if options.as_json:
        print_json({"database_url": options.database_name(), **status.as_dict()})
    else:
        _print(status, options.database_name())
    codes = {finding.code for finding in status.findings if finding.severity == "error"}
    if codes:
        raise Exit(ExitCode.SCHEMA if "schema" in codes else ExitCode.FAILED)


def _print(status: Status, name: str) -> None:
    print_pairs([*_pairs(status, name), (STATUS, "ready" if status.ready else "not ready")])
    if status.workers:
        print_line("")
        print_rows(_WORKER_HEADS, [_worker_row(worker) for worker in status.workers])
    print_line("")
    if not is_terminal():
        print_rows((), [(each.severity, each.code, each.sentence, each.remedy) for each in status.findings])
        return
    for finding in status.findings:
        print_line(f"{finding.severity}: {finding.sentence}", _SEVERITY_STYLES[finding.severity])
        print_line(finding.remedy)
        print_line("")
    if not status.findings:
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
    return pairs


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
