"""The dashboard asks for what there is: each expression is parsed, and finds a series of real traffic."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
from prometheus_client import CollectorRegistry

from gatepost import APIKeys
from gatepost.telemetry import PrometheusMetrics
from gatepost.telemetry.metrics import DURATIONS, METRICS
from tests.telemetry.traffic import traffic

FILE = Path(__file__).parents[2] / "docs" / "grafana" / "gatepost.json"
DASHBOARD: Mapping[str, Any] = json.loads(FILE.read_text())
PANELS: Sequence[Mapping[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [(target["expr"], target["legendFormat"]) for panel in PANELS for target in panel["targets"]]

OF_THE_SCRAPE = {"job", "instance"}
"""Labels that Prometheus adds."""

Series = tuple[str, Mapping[str, str]]


def parsed(expression: str) -> promql.Expr:
    """As Grafana sends it."""
    filled = expression.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*")
    assert "$" not in filled
    return promql.parse(filled)


def selectors(expression: promql.Expr) -> Iterator[promql.VectorSelector]:
    """All of them, however deep."""
    if isinstance(expression, promql.VectorSelector):
        yield expression
    for name in ("lhs", "rhs", "expr", "vector_selector", "selector"):
        inner = getattr(expression, name, None)
        if inner is not None:
            yield from selectors(inner)
    for argument in getattr(expression, "args", ()):
        yield from selectors(argument)


def fits(series: Series, selector: promql.VectorSelector) -> bool:
    """Whether it selects the series, among those of one scrape."""
    name, labels = series
    if name != selector.name:
        return False
    for matcher in selector.matchers.matchers:
        if matcher.name in OF_THE_SCRAPE:
            continue
        assert matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual), matcher
        if (labels.get(matcher.name, "") == matcher.value) is not (matcher.op == promql.MatchOp.Equal):
            return False
    return True


@pytest.fixture
async def exported(ready_sqlite_url: str, redis_url: str) -> Sequence[Series]:
    """What there is after real traffic."""
    registry = CollectorRegistry()
    keys = APIKeys(ready_sqlite_url, redis_url)
    PrometheusMetrics(keys, registry=registry)
    async with keys:
        await traffic(keys)
        return [(sample.name, sample.labels) for metric in registry.collect() for sample in metric.samples]


async def test_each_expression_finds_a_series_and_each_label_that_it_groups_by(exported: Sequence[Series]) -> None:
    assert len(EXPRESSIONS) > 20
    for expression, legend in EXPRESSIONS:
        found = list(selectors(parsed(expression)))
        assert found, expression
        for selector in found:
            chosen = [labels for name, labels in exported if fits((name, labels), selector)]
            assert chosen, f"{selector} selects nothing: {expression}"
            grouped = re.findall(r"\bby \(([^)]*)\)", expression) + re.findall(r"\{\{(\w+)\}\}", legend)
            for label in {each.strip() for group in grouped for each in group.split(",")}:
                assert label in chosen[0], f"{selector} has no label {label}: {expression}"


def test_no_metric_is_left_out() -> None:
    asked = {selector.name for expression, _ in EXPRESSIONS for selector in selectors(parsed(expression))}
    asked |= {str(name).removesuffix("_bucket").removesuffix("_count").removesuffix("_total") for name in asked}
    names = {each.name for each in METRICS} | {each.name for each in DURATIONS.values()}
    assert {f"gatepost_{name}" for name in names} <= asked


def test_a_name_that_nothing_exports_is_noticed() -> None:
    wrong = promql.parse('sum(rate(gatepost_request_total{outcome="valid"}[5m]))')
    (selector,) = selectors(wrong)
    assert not fits(("gatepost_requests_total", {"outcome": "valid"}), selector)
    (right,) = selectors(promql.parse('gatepost_requests_total{outcome="valid", job=~".*"}'))
    assert fits(("gatepost_requests_total", {"outcome": "valid"}), right)
    assert not fits(("gatepost_requests_total", {"outcome": "key_missing"}), right)


def test_panels_have_units_and_sentences_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in PANELS:
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
