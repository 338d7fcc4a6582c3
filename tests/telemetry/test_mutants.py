"""What telemetry must not do, or must not leave out, has a test that fails where it does."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

PROMETHEUS = "tests/telemetry/test_prometheus.py::test_"
TRACING = "tests/telemetry/test_tracing.py::test_"
COUNTED = f"{PROMETHEUS}each_request_is_counted_by_what_came_of_it_and_each_lookup_by_the_tier_that_answered"
ANEW = f"{PROMETHEUS}counters_go_on_rising_when_the_keys_are_opened_anew_and_when_usage_is_written"
STACKED = f"{TRACING}a_refusal_is_in_the_trace_whichever_way_they_are_stacked"
KEPT = "tests/telemetry/test_logging.py::test_a_line_about_a_refusal_keeps_the_key_that_it_tells"

MUTANTS = [
    Mutant(
        "what was written is forgotten",
        "usage/counter.py",
        "        self._taken = _added(self._taken, places)\n",
        "",
        ANEW,
    ),
    Mutant(
        "what was counted is lost when the keys are closed",
        "keys/parts/parts.py",
        "            self.watch.closing()\n",
        "            pass\n",
        ANEW,
    ),
    Mutant(
        "an opening is not told from the one before",
        "telemetry/metrics.py",
        "if figures.began is not self._began:",
        "if self._began is None:",
        ANEW,
    ),
    Mutant(
        "lookups that let a key in are taken for memory hits too",
        "keys/judging.py",
        "lookup.counts.opened += is_shown and outcome is Outcome.VALID\n    return outcome, found",
        "return outcome, found",
        COUNTED,
    ),
    Mutant(
        "a reading again counts what was counted",
        "telemetry/metrics.py",
        "risen[labels], self._seen[labels] = more, value",
        "risen[labels] = more",
        f"{PROMETHEUS}what_is_read_twice_is_counted_once",
    ),
    Mutant(
        "several processes are told of by each",
        "telemetry/prometheus.py",
        "        if not self._shares:\n",
        "        if True:\n",
        f"{PROMETHEUS}of_several_processes_the_files_tell_the_sum",
    ),
    Mutant(
        "a process that has nothing to tell leaves a gauge with 0 behind",
        "telemetry/prometheus.py",
        "self._gauges: dict[str, Gauge] = {}",
        "self._gauges = {each.name: _gauge(each) for each in self._states}",
        f"{PROMETHEUS}of_several_processes_the_files_tell_the_sum",
    ),
    Mutant(
        "who listens and fails takes the request with it",
        "base/waiting/watching.py",
        "        except Exception:\n",
        "        except ZeroDivisionError:\n",
        "tests/telemetry/test_cost.py::test_who_listens_and_fails_harms_no_request_and_is_told_once",
    ),
    Mutant(
        "a refusal in front of the app is not told",
        "asgi/counting.py",
        "            keys.watch.refused(outcome, key_id or None, scope)\n",
        "            pass\n",
        f"{STACKED}[within]",
    ),
    Mutant(
        "a refusal of a route is not told",
        "asgi/current/context.py",
        "        keys.watch.refused(outcome, None if key is None else key.id, scope)\n",
        "        pass\n",
        f"{STACKED}[around]",
    ),
    Mutant(
        "a refusal that nobody traces gets no span",
        "telemetry/tracing.py",
        "            self._tell_alone(Outcome(outcome), told, scope)\n",
        "            pass\n",
        f"{STACKED}[none]",
    ),
    Mutant(
        "the trace that a request belongs to is lost",
        "telemetry/tracing.py",
        "parent = propagate.extract(scope, getter=_HEADERS)",
        "parent = None",
        f"{STACKED}[none]",
    ),
    Mutant(
        "an address is told unasked",
        "telemetry/tracing.py",
        "if self._addresses and client:",
        "if client:",
        f"{TRACING}a_span_of_its_own_has_what_the_conventions_say_and_no_address_or_query",
    ),
    Mutant(
        "callers give spans their names",
        "telemetry/tracing.py",
        "start_span(method if is_known else UNNAMED,",
        "start_span(method,",
        f"{TRACING}a_span_of_its_own_has_what_the_conventions_say_and_no_address_or_query",
    ),
    Mutant(
        "a request that is not sampled is traced",
        "telemetry/tracing.py",
        "elif not current.get_span_context().is_valid:",
        "else:",
        f"{TRACING}a_request_that_is_not_sampled_gets_no_span_of_its_own",
    ),
    Mutant(
        "polls have spans",
        "telemetry/tracing.py",
        "            Wait.PROPAGATION: (",
        '            Wait.POLL: ("poll", SpanKind.INTERNAL, {}),\n            Wait.PROPAGATION: (',
        f"{TRACING}a_lookup_has_a_span_for_each_tier_that_it_waits_for_and_a_memory_hit_has_none",
    ),
    Mutant(
        "what an error says is told",
        "telemetry/tracing.py",
        "        span.set_status(Status(StatusCode.ERROR))\n    span.end()\n\n\nclass",
        "        span.set_status(Status(StatusCode.ERROR, str(failure)))\n    span.end()\n\n\nclass",
        f"{TRACING}an_outage_is_an_error_of_the_servers_and_says_nothing_of_what_was_asked",
    ),
    Mutant(
        "a line's own key is replaced",
        "logging/key_filter.py",
        'if not hasattr(record, "key_id"):',
        "if True:",
        KEPT,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
