"""`gatepost keys … --limit`, `keys limits`, `keys reset-limits`, and limits in files."""

from collections.abc import Callable
from typing import Any

import orjson

from tests.cli.conftest import Run

Answer = Callable[..., Any]

MINUTE = {"type": "rate", "units": 100, "per": 60, "burst": 20, "name": "minute", "on_outage": "local"}
PLAN = {"type": "quota", "units": 500, "per": "month", "name": "plan", "on_outage": "local"}


def test_limits_are_set_shown_edited_and_counted_anew(run: Run, answer: Answer) -> None:
    made = answer("keys", "create", "x", "--limit", "minute=100/60s:20,plan=500/month")
    assert made["limits"] == [MINUTE, PLAN]
    assert "minute=100/60s:20,plan=500/month" in run("keys", "show", made["id"]).stdout
    left = answer("keys", "limits", made["id"])
    assert left == [
        {"name": "minute", "type": "rate", "units": 100, "left": None},
        {"name": "plan", "type": "quota", "units": 500, "left": 500},
    ]
    assert "plan=500/month" in run("keys", "limits", made["id"]).stdout
    assert answer("keys", "edit", made["id"], "--limit", "flight=2")["limits"] == [
        {"type": "slots", "units": 2, "name": "flight", "on_outage": "local"}
    ]
    assert answer("keys", "reset-limits", made["id"])["limits"]
    assert "minute=100/60s:20,plan=500/month -> flight=2" in run("keys", "events", made["id"]).stdout
    assert answer("keys", "edit", made["id"], "--limit", "")["limits"] == []
    wrong = run("keys", "edit", made["id"], "--limit", "60/min")
    assert wrong.exit_code == 2
    assert "is no limit: write minute=100/60s:20" in wrong.stderr


def test_limits_go_out_and_come_in_with_the_keys(run: Run, answer: Answer, tmp_path: Any) -> None:
    answer("keys", "create", "x", "--limit", "minute=100/60s:20,plan=500/month")
    for form in ("jsonl", "csv"):
        file = tmp_path / f"out.{form}"
        run("keys", "export", "--output", str(file))
        assert ("minute=100/60s:20 plan=500/month" if form == "csv" else '"burst":20') in file.read_text()
    told = [
        {"digest": "ab" * 32, "description": "by lines", "limits": [MINUTE]},
        {"digest": "cd" * 32, "description": "none"},
    ]
    lines = tmp_path / "in.jsonl"
    lines.write_bytes(b"\n".join(map(orjson.dumps, told)))
    table = tmp_path / "in.csv"
    table.write_text(f"digest,description,limits\n{'ef' * 32},by table,minute=100/60s:20 plan=500/month\n")
    for file in (lines, table):
        answer("keys", "import", str(file))
    limits = {key["description"]: key["limits"] for key in answer("keys", "list", "--all")["items"]}
    assert limits == {"x": [MINUTE, PLAN], "by lines": [MINUTE], "none": [], "by table": [MINUTE, PLAN]}
