"""docs/telemetry.md has each metric as the code has it, and what it shows runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gatepost.telemetry.metrics import DURATIONS, METRICS
from tests.readme import ROOT

PAGE = (ROOT / "docs" / "telemetry.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def rows() -> list[str]:
    """The lines of the table of metrics."""
    told = []
    for metric in METRICS:
        kind = "counter" if metric.kind == "counter" else "gauge"
        name = f"{metric.name}_total" if kind == "counter" else metric.name
        told.append(f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in metric.labels)} | {metric.told} |")
    for duration in {each.name: each for each in DURATIONS.values()}.values():
        labels = ", ".join(f"`{label}`" for label in duration.labels)
        told.append(f"| `{duration.name}` | histogram | {labels} | {duration.told} |")
    return [line.replace("|  |", "| |") for line in told]


def test_the_table_has_each_metric_as_the_code_has_it() -> None:
    table = PAGE.partition("| metric | type | labels | tells |\n|---|---|---|---|\n")[2].partition("\n\n")[0]
    assert table.splitlines() == rows(), "\n".join(rows())


@pytest.mark.parametrize("shared", [False, True], ids=["one process", "several"])
def test_what_it_shows_runs(tmp_path: Path, shared: bool) -> None:
    setting_up, several, gunicorn, otel, lines = BLOCKS
    code = f"from fastapi import FastAPI\napp = FastAPI()\n{setting_up}"
    if shared:
        for line in ("PrometheusMetrics(keys)  # once", 'app.mount("/metrics", make_asgi_app())'):
            assert line in code
            code = code.replace(line, "#")
        code += several
    asked = (
        "import structlog, gatepost.logging\n"
        "structlog.configure(processors=[gatepost.logging.add_key, structlog.processors.JSONRenderer()])\n"
        "from starlette.testclient import TestClient\n"
        "with TestClient(app) as client:\n"
        "    assert client.get('/nowhere').status_code == 401\n"
        "    text = ''\n"
        "    while 'outcome=\"key_missing\"} 1.0' not in text:\n"  # shared, it is written after a poll
        "        answer = client.get('/metrics')\n"
        "        assert answer.status_code == 200, answer.text\n"
        "        text = answer.text\n"
        "    print(text)\n"
    )
    environment = {**os.environ, "GATEPOST_DATABASE": f"sqlite:///{tmp_path}/keys.db"}
    if shared:
        (tmp_path / "shared").mkdir()
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path / "shared")
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{gunicorn}\n{otel}\n{lines}\n{asked}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^gatepost_tier_up", done.stdout, re.MULTILINE)) == 1  # and not told of twice
    assert "Refused with key_missing" not in done.stdout
