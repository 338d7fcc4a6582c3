"""`gatepost webhooks …`, and what `doctor` says of targets."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gatepost import APIKeys
from gatepost.database.schema import deliverer, deliveries
from gatepost.health import TargetStatus
from gatepost.health.targets import target_findings
from gatepost.webhooks import LogTarget, Webhooks
from tests.cli.conftest import Run

Answer = Callable[..., Any]
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def given_up(answer: Answer, database: str) -> list[str]:
    """The ids of two messages to the target `siem` that were given up; `log` has nothing to be told."""
    key_id: str = answer("keys", "create", "a key")["id"]

    async def make() -> list[str]:
        async with APIKeys(database) as keys:
            tables = keys.deliveries
            webhooks = Webhooks(keys, [LogTarget(name="siem"), LogTarget(types=["sign_in"])])
            await webhooks.open()
            own = webhooks._deliverer
            assert own is not None
            renders = own._renders()
            await webhooks.close()
            assert await tables.take_lease("a" * 32, 60)
            await tables.queue("a" * 32, 60, renders)
            await keys.deactivate(key_id)
            await keys.activate(key_id)
            await tables.queue("a" * 32, 60, renders)
            found: list[Any] = []
            while due := await tables.read_due("siem", 1):
                found += due
                await tables.fail(due[0], "status 500", None)
            return [each.id for each in found]

    return asyncio.run(make())


def test_what_was_given_up_is_listed_and_sent_again(run: Run, answer: Answer, given_up: list[str]) -> None:
    (siem, log) = sorted(answer("webhooks", "status")["items"], key=lambda each: each["name"], reverse=True)
    assert (siem["name"], siem["dead"], siem["waiting"]) == ("siem", 2, 0)
    assert (log["name"], log["dead"]) == ("log", 0)
    items = answer("webhooks", "dead", "siem", "--all")["items"]
    assert [each["id"] for each in items] == given_up
    assert items[0]["error"] == "status 500"
    page = answer("webhooks", "dead", "--limit", "1")
    assert answer("webhooks", "dead", "--after", page["next"])["items"][0]["id"] == given_up[1]
    assert run("webhooks", "dead").stdout.splitlines()[0].split("\t")[:2] == ["siem", given_up[0]]
    assert answer("webhooks", "resend", "siem", given_up[0]) == {"target": "siem", "count": 1}
    assert "To be sent again: 1 message" in run("webhooks", "resend", "siem").stdout
    assert run("webhooks", "status").stdout.splitlines()[1].split("\t")[2] == "2"


def test_a_target_is_resumed_and_forgotten(run: Run, answer: Answer, given_up: list[str], database: str) -> None:
    async def stop() -> None:
        async with APIKeys(database) as keys:
            await keys.deliveries.stop("siem", "410 Gone")

    asyncio.run(stop())
    assert "webhook_stopped" in {each["code"] for each in answer("doctor")["findings"]}
    assert run("webhooks", "status").stdout.splitlines()[1].split("\t")[1] == "stopped"
    assert run("webhooks", "resume", "siem").exit_code == 0
    assert "webhook_stopped" not in {each["code"] for each in answer("doctor")["findings"]}
    assert run("webhooks", "forget", "siem").exit_code == 2
    assert run("webhooks", "forget", "siem", "--yes").exit_code == 0
    assert [each["name"] for each in answer("webhooks", "status")["items"]] == ["log"]
    for words in (("resend", "siem"), ("resume", "siem"), ("forget", "siem", "--yes")):
        done = run("webhooks", *words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "No target 'siem': there are log" in done.stderr
    assert run("webhooks", "dead", "--after", "x").exit_code == 2


def test_the_doctor_says_what_is_the_matter_with_a_target(
    run: Run, answer: Answer, given_up: list[str], database: str
) -> None:
    told = answer("doctor")
    assert {each["name"]: each["dead"] for each in told["targets"]} == {"siem": 2, "log": 0}
    assert [each["code"] for each in told["findings"] if each["code"].startswith("webhook")] == ["webhook_dead"]
    assert "2 targets, 0 messages on their way, 2 given up" in run("doctor").stdout

    async def age() -> None:
        async with APIKeys(database) as keys:
            await keys.deliveries.revive("siem", None)
            async with keys._database._writing("a test") as connection:
                await connection.execute(update(deliveries).values(queued_at=deliveries.c.queued_at - 3600))
                await connection.commit()

    asyncio.run(age())
    assert "webhook_late" in {each["code"] for each in answer("doctor")["findings"]}

    async def fall_silent() -> None:
        async with APIKeys(database) as keys, keys._database._writing("a test") as connection:
            await connection.execute(update(deliverer).values(until=deliverer.c.until - 3600))
            await connection.commit()

    asyncio.run(fall_silent())
    (finding,) = [each for each in answer("doctor")["findings"] if each["code"].startswith("webhook")]
    assert finding["code"] == "webhooks_silent"


def test_a_target_that_is_well_is_not_told_of() -> None:
    well = TargetStatus(name="a", stopped=None, waiting=3, oldest_seconds=1, dead=0, behind=2, silent_seconds=0)
    assert [*target_findings(well)] == []


APP = """
from gatepost import APIKeys, LogTarget, Webhooks

keys = APIKeys({database!r})
webhooks = Webhooks(keys, targets=[LogTarget()], poll_interval=0.05)
"""


@pytest.mark.parametrize("named", [["told_app:webhooks"], ["--app", "told_app:keys"], ["--app", "told_app:webhooks"]])
def test_a_process_delivers_until_it_is_told_to_end(run: Run, tmp_path: Path, database: str, named: list[str]) -> None:
    (tmp_path / "told_app.py").write_text(APP.format(database=database))
    command = [sys.executable, "-m", "gatepost", "webhooks", "run", *named]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == "Delivering; Ctrl-C ends it\n"

            async def known() -> None:
                async with APIKeys(database) as keys:
                    while not await keys.deliveries.read_states():  # noqa: ASYNC110 - in the database
                        await asyncio.sleep(0.05)

            asyncio.run(known())
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
        finally:
            process.kill()


def test_what_is_no_webhooks_is_refused(run: Run) -> None:
    done = run("webhooks", "run", "json:dumps")
    assert (done.exit_code, "is no Webhooks" in done.stderr) == (2, True)
    done = run("webhooks", "run")
    assert (done.exit_code, "Name your Webhooks" in done.stderr) == (2, True)
    done = run("webhooks", "run", "json:loads", "--app", "json:dumps")
    assert (done.exit_code, "Name one app" in done.stderr) == (2, True)
