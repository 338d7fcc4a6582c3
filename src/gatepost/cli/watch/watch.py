"""Rounds of an auditor, and what is told of them."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.status import Status

from gatepost.base import BadInputError, UnavailableError
from gatepost.cli.codes import ExitCode
from gatepost.cli.output import is_terminal, print_line, print_note, print_pairs

if TYPE_CHECKING:
    from gatepost.audit import Auditor, Metrics, Round, Violation

_VERDICTS = {
    ExitCode.DONE: "nothing is wrong",
    ExitCode.FAILED: "violations were seen",
    ExitCode.UNANSWERED: "nothing wrong was seen, but not everything was answered",
}


class Watch:
    """Rounds, and what is told of them."""

    def __init__(self, auditor: "Auditor", metrics: "Metrics", file: Path | None, *, as_json: bool) -> None:
        self._auditor = auditor
        self._metrics = metrics
        self._file = file
        self._as_json = as_json
        self._live = is_terminal() and not as_json
        self._down: dict[str, str] = {}
        self._ever_answered = True
        self._counts = {
            "changes": 0,
            "answers": 0,
            "old": 0,
            "undecided": 0,
            "violations": 0,
            "unanswered": 0,
            "given_up": 0,
            "database_failures": 0,
        }

    async def run(
        self, *, since: int | None, until: float | None, every: float, once: bool, stop: asyncio.Event
    ) -> None:
        """Look again and again, until told to end."""
        with Console(highlight=False).status("") if self._live else contextlib.nullcontext() as line:
            begun = False
            while not stop.is_set():
                try:
                    if not begun:
                        await self._begin(since)
                        begun = True
                    done = await self._auditor.round()
                except UnavailableError as failure:
                    self._note_failure(str(failure))
                else:
                    self._note(done)
                self._write()
                if line is not None:
                    self._update(line)
                if once and begun and not self._auditor.open_checks:
                    return
                rest = every if until is None else min(every, until - time.monotonic())
                if rest <= 0:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(rest):
                        await stop.wait()

    def exit_code(self) -> ExitCode:
        """Tell the summary, and how to exit."""
        summary = {**self._counts, "open": self._auditor.open_checks, "seq": self._auditor.seq}
        unheard = [each.name for each in self._auditor.unheard]
        incomplete = self._down or self._counts["given_up"] or self._auditor.seq is None
        code = ExitCode.UNANSWERED if incomplete else ExitCode.DONE
        code = ExitCode.FAILED if self._counts["violations"] else code
        if self._as_json:
            _print_json_line({"event": "summary", **summary, "unheard": unheard, "down": self._down})
        else:
            self._print_summary(code, summary, unheard)
        return code

    def _print_summary(self, code: ExitCode, summary: dict[str, Any], unheard: Sequence[str]) -> None:
        if self._live:
            print_line("")
        print_pairs(
            [
                ("verdict", _VERDICTS[code]),
                ("followed to change", str(summary["seq"])),
                ("keys' changes", str(summary["changes"])),
                ("answers", str(summary["answers"])),
                ("allowed to be old", str(summary["old"])),
                ("could not tell", str(summary["undecided"])),
                ("violations", str(summary["violations"])),
                ("questions unanswered", str(summary["unanswered"])),
                ("answers given up", str(summary["given_up"])),
                ("asked not to the end", str(summary["open"])),
                *(("does not answer", f"{url}: {reason}") for url, reason in self._down.items()),
                *(("never heard", f"{name}: lives, but was not asked; give its --worker") for name in unheard),
            ]
        )

    async def _begin(self, since: int | None) -> None:
        if since is not None and since < 0:
            since = max(0, await self._auditor.begin() + since)
        first = await self._auditor.begin(since)
        if not self._as_json:
            print_note(f"Asking about every change after {first}. Ctrl-C ends it.")

    def _note(self, done: "Round") -> None:
        counts = self._counts
        counts["changes"] += done.changes
        counts["answers"] += sum(done.answers.values())
        for (_, judgement), count in done.answers.items():
            if judgement.value in {"old", "undecided"}:
                counts[judgement.value] += count
        counts["violations"] += len(done.violations)
        counts["unanswered"] += len(done.unanswered)
        counts["given_up"] += done.given_up
        self._metrics.note(done, self._auditor)
        if done.restarted:
            self._tell(
                {"event": "restarted", "seq": self._auditor.seq},
                "The change log does not go on where it was: the database was restored, replaced or failed over. "
                f"Going on after change {self._auditor.seq}",
            )
        for violation in done.violations:
            if self._as_json:
                _print_json_line({"event": "violation", **asdict(violation)})
            else:
                print_line(_sentence(violation), "bold red")
        for url, reason in done.unanswered.items():
            if url not in self._down:
                self._tell({"event": "unanswered", "url": url, "reason": reason}, f"{url} does not answer: {reason}")
        for url in self._down:
            if url not in done.unanswered:
                self._tell({"event": "answers", "url": url}, f"{url} answers again")
        self._down = done.unanswered

    def _note_failure(self, message: str) -> None:
        message = " ".join(message.split())
        self._counts["database_failures"] += 1
        self._metrics.note_failure()
        self._tell({"event": "database", "reason": message}, message)

    def _tell(self, event: dict[str, Any], text: str) -> None:
        if self._as_json:
            _print_json_line(event)
        else:
            print_note(text)

    def _write(self) -> None:
        if self._file is not None:
            try:
                self._metrics.write(self._file)
            except OSError as failure:
                raise BadInputError(f"--metrics {self._file}: {failure.strerror or failure}") from None

    def _update(self, line: Status) -> None:
        counts = self._counts
        line.update(
            f"change {self._auditor.seq} · {self._auditor.open_checks} being asked about · "
            f"{counts['answers']} answers · {counts['violations']} violations · {len(self._down)} workers down"
        )


_DID = {"accepted": "lets in", "refused": "refuses", "outdated": "goes by an old record of"}
_BECAUSE = {
    "applied": "although it says that it has applied that",
    "acknowledged": "although its row says that it has applied that",
    "gone": "although it has no row, so that nobody waits for it",
    "late": "longer than its max_staleness allows",
}


def _sentence(violation: "Violation") -> str:
    """One line for one violation."""
    name = "a worker" if violation.worker is None else violation.worker.name
    key = "a deleted key" if violation.key_id is None else f"key {violation.key_id}"
    return (
        f"{violation.at:%Y-%m-%dT%H:%M:%SZ} VIOLATION {violation.kind.value}: {name} ({violation.url}) "
        f"{_DID[violation.kind.value]} {key}, which the database says is {violation.truth.value} since change "
        f"{violation.seq}, {violation.age:.1f} s ago, {_BECAUSE[violation.bound.value]} "
        f"(it answers {violation.answer.value} as of {violation.as_of}, has applied {violation.applied_seq}; "
        f"digest {violation.digest}…)"
    )


def _print_json_line(event: dict[str, Any]) -> None:
    """One JSON object a line, told at once, so that a program can follow."""
    sys.stdout.write(orjson.dumps(event, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE).decode())
    sys.stdout.flush()
