"""compose.yaml and the page on deploying name what is there, and what they run does run. No Docker is needed."""

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml  # type: ignore[import-untyped]
from typer.main import get_command

from gatepost.cli.app import app as command
from gatepost.keys.parts import variables
from tests.examples.served import EXAMPLES, ROOT, gatepost, served
from tests.readme import blocks
from tests.servers.ports import free_port

COMPOSE: Mapping[str, Any] = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]
DOCKERFILE = (EXAMPLES / "Dockerfile").read_text()
KUBERNETES = [*yaml.safe_load_all(blocks("docs/deploying.md", "yaml")[0])]
IMAGE_COMMAND = yaml.safe_load(re.findall(r"^CMD (.+)$", DOCKERFILE, re.MULTILINE)[0])
OPEN = ["/ready", "/settings/api-keys"]
"""Paths of the first example that need no key."""


def commands() -> Iterator[list[str]]:
    """What is run of gatepost's image, there and in Kubernetes."""
    for service in SERVICES.values():
        if "build" in service:
            yield service.get("command", IMAGE_COMMAND)
    spec = KUBERNETES[0]["spec"]["template"]["spec"]
    for container in (*spec["initContainers"], *spec["containers"]):
        yield container["command"]


def test_every_service_is_made_of_something_and_waits_for_what_there_is() -> None:
    assert set(SERVICES) == {"postgres", "redis", "tables", "app", "page"}
    for name, service in SERVICES.items():
        assert ("image" in service) != ("build" in service), name
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] in {"service_healthy", "service_completed_successfully"}
            assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other], f"{name} waits for ever"
            assert how["condition"] == "service_healthy" or other == "tables"
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in COMPOSE["volumes"]
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "not for the whole network"
            assert port.rpartition(":")[2] in service.get("command", IMAGE_COMMAND)
    assert SERVICES["app"]["environment"] == SERVICES["page"]["environment"] == SERVICES["tables"]["environment"]


def test_the_variables_mean_something_and_lead_to_the_services() -> None:
    given = {name: str(text) for name, text in SERVICES["app"]["environment"].items()}
    secret = KUBERNETES[1]["stringData"]
    for environment in (given, secret):
        assert set(variables.read(environment)) >= {"database", "redis"}
    assert re.search(r"@(\w+):5432/", given["GATEPOST_DATABASE"])[1] in SERVICES  # type: ignore[index]
    assert re.search(r"//(\w+):6379/", given["GATEPOST_REDIS"])[1] in SERVICES  # type: ignore[index]
    asked = set(re.findall(r"\${(\w+):\?", (EXAMPLES / "compose.yaml").read_text()))
    assert asked == {"POSTGRES_PASSWORD"}, "no password stands in the file, and without one nothing starts"


def test_the_image_is_made_of_what_is_there() -> None:
    context = (EXAMPLES / SERVICES["app"]["build"]["context"]).resolve()
    assert (context / SERVICES["app"]["build"]["dockerfile"]).samefile(EXAMPLES / "Dockerfile")
    for copied in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE):
        assert all((context / each).exists() for each in copied.split()), copied
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.search(r"/source\[([\w,]+)\]", DOCKERFILE)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
    assert project["requires-python"] == ">=3.11"
    assert "USER nobody" in DOCKERFILE


@pytest.mark.parametrize("given", [*commands()], ids=shlex.join)
def test_what_is_run_is_a_command_that_there_is(given: list[str]) -> None:
    program, *rest = given
    if program == "uvicorn":
        assert (EXAMPLES / f"{rest[0].partition(':')[0]}.py").exists()
        return
    assert program == "gatepost"
    found: Any = get_command(command)
    while rest and rest[0] in getattr(found, "commands", {}):
        found = found.commands[rest.pop(0)]
    with found.make_context("gatepost", rest) as context:
        assert context.command is found


def test_pods_and_services_are_asked_where_no_key_is_needed_and_stop_in_time() -> None:
    (container,) = KUBERNETES[0]["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"] == {"path": OPEN[0], "port": 8000}
    assert "httpGet" not in container["livenessProbe"], "a pod is not restarted because the database is away"
    assert OPEN[0] in SERVICES["app"]["healthcheck"]["test"][-1]
    assert SERVICES["app"]["stop_grace_period"] == "30s"
    for given in (container["command"], IMAGE_COMMAND):
        seconds = int(given[given.index("--timeout-graceful-shutdown") + 1])
        assert seconds + container["lifecycle"]["preStop"]["sleep"]["seconds"] < 30
    assert KUBERNETES[0]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 30


def test_what_compose_runs_runs_on_a_real_postgresql_and_redis(
    postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = {"GATEPOST_DATABASE": postgres_url, "GATEPOST_REDIS": redis_url}
    _, *upgrade = SERVICES["tables"]["command"]
    assert "Made the tables" in gatepost(*upgrade, folder=tmp_path, **settings)
    named = {"GATEPOST_APP": "fastapi_app:app", **settings}
    rights = "ACCESS_READ,ACCESS_MANAGE,NOTES_READ,NOTES_WRITE"
    assert f'gatepost keys create "admin" -p {rights}' in blocks("docs/deploying.md", "console")[0]
    secret = gatepost("keys", "create", "admin", "-p", rights, "-q", folder=tmp_path, **named).strip()
    with ExitStack() as running:
        urls = []
        for given, usual in ((IMAGE_COMMAND, "8000"), (SERVICES["page"]["command"], "8400")):
            port = free_port()
            moved = [str(port) if each == usual else "127.0.0.1" if each == "0.0.0.0" else each for each in given]
            program = [sys.executable, "-m", *moved]
            urls.append(running.enter_context(served(program, port, tmp_path, **settings)))
        site, page = urls
        with httpx2.Client(headers={"X-API-Key": secret}, timeout=120) as client:
            assert client.post(f"{site}/notes", json={"text": "hello"}).json() == {"by": "admin"}
            assert client.get(f"{site}{OPEN[0]}").json()["ready"] is True
            (listed,) = client.get(f"{page}/api/keys").json()["items"]
            assert listed["description"] == "admin"
