"""`gatepost audit`: ask the workers, after each change, whether they answer as the database says."""

import asyncio
import contextlib
import os
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Context, Exit, Option

from gatepost.base import BadInputError, MissingExtraError, UnavailableError
from gatepost.cli.codes import ExitCode
from gatepost.cli.input import DatabaseOptions, verb
from gatepost.cli.output import print_note
from gatepost.cli.watch import Watch
from gatepost.probes import checked_token

if TYPE_CHECKING:
    from gatepost.audit import Metrics

TOKEN = "GATEPOST_AUDIT_TOKEN"  # noqa: S105 - the variable's name
"""Environment variable with the shared token. Never an argument: those are seen by everybody on the machine."""

RECENT = 1_000
"""How many changes back `--once` looks where it is not told."""

_DISTRIBUTIONS = {"prometheus_client": "prometheus-client"}


@verb
async def audit(
    options: DatabaseOptions,
    *,
    context: Context,
    worker: Annotated[
        list[str] | None,
        Option("--worker", metavar="URL", help="Where a worker's AuditEndpoint is mounted. Once for each worker."),
    ] = None,
    since: Annotated[
        int | None, Option("--since", metavar="SEQ", min=0, help="Ask about the changes after this one, too.")
    ] = None,
    seconds: Annotated[
        float | None, Option("--for", metavar="SECONDS", min=0, help="End after this time. Default: never.")
    ] = None,
    once: Annotated[
        bool, Option("--once", help="Ask about the last 1,000 changes (or those since SEQ), and end.")
    ] = False,
    every: Annotated[
        float, Option("--every", metavar="SECONDS", min=0.05, max=60, help="Pause between two looks at the log.")
    ] = 1.0,
    metrics_file: Annotated[
        Path | None,
        Option("--metrics", metavar="FILE", help="Write Prometheus metrics there after each look (*.prom)."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        Option("--metrics-port", metavar="N", min=1, max=65535, help="Answer Prometheus on 127.0.0.1 at this port."),
    ] = None,
) -> None:
    """Follow the change log, and ask every worker after each change how it answers for that key now.

    An answer is a violation if a secret is let in, refused or judged by an old record although the worker had to know
    of the change: it said so, or its max_staleness has gone by. Needs the shared token in GATEPOST_AUDIT_TOKEN, and no
    secret. Ctrl-C ends it, with the summary.
    """
    if context.invoked_subcommand is not None:
        return
    if not worker:
        raise BadInputError("Missing option '--worker': where a worker's AuditEndpoint is mounted")
    try:
        from gatepost.audit import Asking, Auditor, Metrics  # noqa: PLC0415
        from gatepost.database import Database  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        library = str(missing.name).partition(".")[0]
        if library == "gatepost":
            raise
        raise MissingExtraError(_DISTRIBUTIONS.get(library, library), "audit") from missing
    token = os.environ.get(TOKEN, "")
    try:
        checked_token(token)
    except BadInputError as wrong:
        raise BadInputError(f"{TOKEN}: {wrong}") from None
    options.check_file()
    database = Database(options.database_url, timeout=5.0)
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(Asking(url, token)) for url in dict.fromkeys(worker)]
        try:
            await database.open()
        except UnavailableError as failure:
            print_note(f"Error: {failure}")
            raise Exit(ExitCode.UNANSWERED) from None
        stack.push_async_callback(database.close)
        auditor = Auditor(database, workers)
        metrics = Metrics(each.url for each in workers)
        if metrics_port is not None:
            _serve(metrics, metrics_port)
        watch = Watch(auditor, metrics, metrics_file, as_json=options.as_json)
        stop = _stopped_by_signals()
        await watch.run(
            since=(-RECENT if once and since is None else since),
            until=None if seconds is None else time.monotonic() + seconds,
            every=every,
            once=once,
            stop=stop,
        )
    raise Exit(watch.exit_code())


def _serve(metrics: "Metrics", port: int) -> None:
    try:
        metrics.serve(port)
    except OSError as failure:
        raise BadInputError(f"--metrics-port {port}: {failure.strerror or failure}") from None


def _stopped_by_signals() -> asyncio.Event:
    """Set by Ctrl-C and SIGTERM, so that what was seen is told at the end."""
    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; a thread that is not main
            asyncio.get_running_loop().add_signal_handler(each, stop.set)
    return stop
