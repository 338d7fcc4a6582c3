"""`gatepost audit` as a process, over workers that are processes too."""

import asyncio
import contextlib
import signal
import subprocess
from pathlib import Path

import httpx2
import orjson
import pytest

from gatepost import APIKeys
from tests.audit.serving import TOKEN, serving
from tests.cli.conftest import COMMAND, Run, Shell, environment
from tests.servers.ports import free_port


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_AUDIT_TOKEN", TOKEN)


async def test_a_quiet_system_exits_0_and_a_violation_1_with_its_metrics(
    shell: Shell, database: str, tmp_path: Path
) -> None:
    async with APIKeys(database, memory_entries=0) as keys:
        issued = await keys.create("x")
        with serving(database, "drop") as worker:
            arguments = ("audit", "--worker", worker.url, "--every", "0.1", "--once")
            metrics = tmp_path / "gatepost.prom"
            done = await asyncio.to_thread(shell, *arguments, "--json", "--metrics", str(metrics))
            assert (done.returncode, done.stderr) == (0, "")
            summary = orjson.loads(done.stdout.splitlines()[-1])
            assert (summary["event"], summary["changes"], summary["violations"]) == ("summary", 1, 0)
            assert summary["answers"] >= 2

            assert (await asyncio.to_thread(worker.get, "/me", issued.secret)).status_code == 200
            await keys.deactivate(issued.key.id)
            done = await asyncio.to_thread(shell, *arguments, "--json", "--metrics", str(metrics))
            assert done.returncode == 1
            violation, *_ = map(orjson.loads, done.stdout.splitlines())
            assert (violation["event"], violation["kind"], violation["key_id"]) == (
                "violation",
                "accepted",
                issued.key.id,
            )
            written = metrics.read_text()
            assert f'gatepost_audit_violations_total{{kind="accepted",worker="{worker.url}"}} 1.0' in written
            people = await asyncio.to_thread(shell, *arguments)
            assert f":{worker.process.pid} ({worker.url}) lets in key {issued.key.id}" in people.stdout
    for shown in (done.stdout, people.stdout, people.stderr, written):
        assert TOKEN not in shown
        assert issued.secret not in shown


async def test_prometheus_is_answered_at_a_port_while_it_watches_until_ctrl_c(database: str) -> None:
    port = free_port()
    async with APIKeys(database, memory_entries=0) as keys:
        with serving(database, "") as worker:
            command = [*COMMAND, "audit", "--worker", worker.url, "--every", "0.1", "--metrics-port", str(port)]
            watching = await asyncio.create_subprocess_exec(
                *command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            try:
                await _metrics_say(port, "gatepost_audit_changes_total 0.0")
                await keys.create("x")
                await _metrics_say(port, "gatepost_audit_changes_total 1.0")
                second = await asyncio.to_thread(subprocess.run, command, env=environment(), capture_output=True)
                assert second.returncode == 2
                assert f"--metrics-port {port}".encode() in second.stderr
            finally:
                watching.send_signal(signal.SIGINT)
                out, err = await watching.communicate()
            assert watching.returncode == 0, err
            assert out.startswith(b"verdict\tnothing is wrong\nfollowed to change\t1\n")


async def _metrics_say(port: int, line: str) -> None:
    """Wait until they do."""
    async with httpx2.AsyncClient(timeout=120) as client, asyncio.timeout(120):
        text = ""
        while line not in text.splitlines():
            await asyncio.sleep(0.1)
            with contextlib.suppress(httpx2.TransportError):
                text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text


def test_a_worker_or_a_database_that_does_not_answer_exits_5(shell: Shell, run: Run) -> None:
    run("db", "upgrade")
    down = "http://127.0.0.1:1/_gatepost"
    done = shell("audit", "--worker", down, "--for", "0")
    assert done.returncode == 5
    assert f"{down} does not answer" in done.stderr
    assert shell("audit", "--worker", down, "--for", "0", "--database", "postgresql://127.0.0.1:1/x").returncode == 5


def test_what_cannot_be_used_exits_2_without_telling_the_token(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run("db", "upgrade")
    worker = ("--worker", "http://127.0.0.1:1/_gatepost", "--for", "0")
    assert run("audit").exit_code == 2
    assert run("audit", "--worker", "nowhere").exit_code == 2
    assert run("audit", *worker, "--metrics", str(tmp_path / "none" / "x.prom")).exit_code == 2
    monkeypatch.setenv("GATEPOST_AUDIT_TOKEN", "short-secret")
    done = run("audit", *worker)
    assert done.exit_code == 2
    assert "GATEPOST_AUDIT_TOKEN" in done.stderr
    assert "short-secret" not in done.output
