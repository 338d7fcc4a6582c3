"""What the auditor has counted, in Prometheus' text format: for node_exporter's textfile collector, or over HTTP."""

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server, write_to_textfile

from gatepost.audit.auditor import Auditor, Round
from gatepost.audit.judgement import VIOLATIONS, Judgement

LOOPBACK = "127.0.0.1"


class Metrics:
    """Counters of one auditor. `urls`: its workers, so that a worker without a violation stands there with 0."""

    def __init__(self, urls: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        self._changes = self._counter("changes", "Keys' changes that workers were asked about.")
        self._answers = self._counter("answers", "Answers of workers, by what they were.", "worker", "judgement")
        self._violations = self._counter("violations", "Answers that should not be.", "worker", "kind")
        self._unanswered = self._counter("unanswered", "Questions that a worker did not answer.", "worker")
        self._given_up = self._counter("given_up", "Answers that were never got.")
        self._failures = self._counter("database_failures", "Rounds that the database's failure ended.")
        self._seq = self._gauge("seq", "Number of the last change taken in.")
        self._open = self._gauge("open_checks", "Changes that workers are still being asked about.")
        self._unheard = self._gauge("unheard_workers", "Workers that live, but that no answer came from.")
        self._round = self._gauge(
            "last_round_timestamp_seconds", "When the last whole round ended: alert if it is old."
        )
        for url in urls:
            self._unanswered.labels(url)
            for kind in VIOLATIONS:
                self._violations.labels(url, kind.value)

    def note(self, done: Round, auditor: Auditor) -> None:
        """Count one round."""
        self._changes.inc(done.changes)
        for (url, judgement), count in done.answers.items():
            self._answers.labels(url, judgement.value).inc(count)
            if Judgement(judgement) in VIOLATIONS:
                self._violations.labels(url, judgement.value).inc(count)
        for url in done.unanswered:
            self._unanswered.labels(url).inc()
        self._given_up.inc(done.given_up)
        self._seq.set(auditor.seq or 0)
        self._open.set(auditor.open_checks)
        self._unheard.set(len(auditor.unheard))
        self._round.set_to_current_time()

    def note_failure(self) -> None:
        """Count a round that the database's failure ended."""
        self._failures.inc()

    def write(self, file: Path) -> None:
        """Replace the file at once: whoever reads it never sees a half. Raises `OSError`."""
        write_to_textfile(str(file), self.registry)

    def serve(self, port: int) -> None:
        """Answer scrapes on this machine's loopback until the process ends. Raises `OSError`."""
        start_http_server(port, addr=LOOPBACK, registry=self.registry)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"gatepost_audit_{name}", documentation, labels, registry=self.registry)

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(f"gatepost_audit_{name}", documentation, registry=self.registry)
