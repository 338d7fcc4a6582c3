"""`make bench`: what it keeps, what it says, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks.measured import Table
from benchmarks.rounds import Plan
from benchmarks.scenarios import NAMES

from benchmarks import __main__ as command
from benchmarks import measured
from tests.benchmarks.made_up import ADDED, CONNECTIONS, results
from tests.servers.programs import ProgramMissingError

ROOT = Path(__file__).parents[2]

WAITING = """
import asyncio, os, signal, sys
from benchmarks import __main__ as command
from tests.benchmarks.made_up import ADDED
from tests.servers.redis import redis_server

async def measured(plan):
    return [ADDED]

async def waiting(plan):
    with redis_server() as server:
        server.start()
        print("waiting", server.pid, flush=True)
        try:
            await asyncio.sleep(60)
        finally:
            raise ConnectionError("what Ctrl-C ended is gone, and the end of this fails")

command.load = lambda name: {"cold": measured, "stampede": waiting}[name]
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
sys.exit(command.main(["cold", "stampede", "--results", sys.argv[1]]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of results that do not exist yet."""
    return tmp_path / "results.json"


def measuring(monkeypatch: pytest.MonkeyPatch, **answers: Sequence[Table] | Exception) -> None:
    """Let scenarios answer so, at once."""

    async def measure(name: str) -> Sequence[Table]:
        answer = answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def load(name: str) -> object:
        return lambda _plan: measure(name)

    monkeypatch.setattr(command, "load", load)


def test_the_list_names_every_scenario_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(NAMES)
    code = "import sys; from benchmarks.__main__ import main; main(['--list']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"benchmarks.scenarios.memory_hit", "matplotlib", "fastapi", "django"} & set(loaded.split())


def test_an_unknown_scenario_gives_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["cold", "hot"])
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert "no such scenario: hot; there are: " in told
    assert "Traceback" not in told


def test_a_quick_run_leaves_out_what_cannot_be_short_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    measuring(monkeypatch, **{name: [CONNECTIONS] for name in NAMES})
    main(["--quick", "--results", str(path)])
    assert set(measured.read(path).scenarios) == set(NAMES) - command.LEFT_OUT_OF_QUICK
    assert f"unless named: {', '.join(sorted(command.LEFT_OUT_OF_QUICK))}." in capsys.readouterr().err
    main(["startup", "--quick", "--results", str(path)])
    assert "startup" in measured.read(path).scenarios


def test_what_is_measured_is_kept_beside_what_was_and_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    measuring(monkeypatch, cold=[ADDED], stampede=[CONNECTIONS])
    assert main(["cold", "cold", "--quick", "--results", str(path)]) == 0
    assert main(["stampede", "--results", str(path)]) == 1
    kept = measured.read(path).scenarios
    assert kept["cold"].tables == (ADDED,)
    assert kept["cold"].origin.quick
    assert kept["stampede"].tables == (CONNECTIONS,)
    assert not kept["stampede"].origin.quick
    told = capsys.readouterr()
    assert "ten lines by hand" in told.out
    assert "1 of 2 are held on this run." in told.out
    assert "stampede …" in told.err


def test_a_scenario_that_fails_is_told_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    measuring(
        monkeypatch,
        cold=ProgramMissingError("no redis-server found on this machine"),
        mixed=ModuleNotFoundError("No module named 'keyshield'"),
        refused=RuntimeError("a good key was answered 500"),
        stampede=[ADDED],
    )
    assert main(["cold", "mixed", "refused", "stampede", "--results", str(path)]) == 1
    assert list(measured.read(path).scenarios) == ["stampede"]
    told = capsys.readouterr()
    assert "1 of 1 are held" in told.out
    assert told.err.endswith(
        "cold: not measured: no redis-server found on this machine\n"
        "mixed: not measured: No module named 'keyshield': `make bench` installs it\n"
        "refused: not measured: RuntimeError: a good key was answered 500\n"
    )


def test_the_report_measures_nothing_and_says_what_is_lacking(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    measuring(monkeypatch)
    assert main(["--report", "--results", str(path)]) == 1
    assert capsys.readouterr().err == f"nothing was measured yet ({path})\n"
    measured.write(path, results())
    assert main(["--report", "refused", "--results", str(path)]) == 0
    told = capsys.readouterr()
    assert "Added time" in told.out
    assert not told.err
    assert main(["--report", "refused", "cold", "--results", str(path)]) == 1
    assert capsys.readouterr().err == f"cold: not measured yet ({path})\n"
    assert main(["--report", "--results", str(path)]) == 1
    assert "2 of 4 are held" in capsys.readouterr().out


def test_only_what_was_measured_with_care_goes_into_the_docs(
    monkeypatch: pytest.MonkeyPatch, path: Path, tmp_path: Path
) -> None:
    measuring(monkeypatch, cold=[ADDED])
    docs = tmp_path / "docs"
    monkeypatch.setattr(command, "DOCS", docs)
    monkeypatch.setattr(command, "RESULTS", path)
    monkeypatch.setattr(command, "QUICK_RESULTS", tmp_path / "quick.json")
    assert main(["cold", "--quick"]) == 0
    assert not docs.exists()
    assert main(["cold"]) == 0
    assert "Added time" in (docs / "benchmarks.md").read_text(encoding="utf-8")
    assert [each.name for each in (docs / "images").iterdir()] == ["benchmark-cold-1.png"]
    before = {each: each.read_bytes() for each in docs.rglob("*.*")}
    assert main(["--report"]) == 0
    assert before == {each: each.read_bytes() for each in docs.rglob("*.*")}


def test_results_that_cannot_be_read_end_it_in_one_line_and_stay_as_they_are(path: Path) -> None:
    path.write_text("{")
    for words in (["cold"], ["--report"]):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", *words, "--results", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "delete it, and measure again" in done.stderr
        assert not done.stdout
    assert path.read_text() == "{"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_was_measured_and_ends_its_servers(path: Path, number: signal.Signals) -> None:
    with _waiting(path) as (process, server):
        process.send_signal(number)
        _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"Interrupted. What was measured before is kept in {path}." in told
    assert "Traceback" not in told
    assert "what Ctrl-C ended is gone" not in told
    assert list(measured.read(path).scenarios) == ["cold"]
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)


@contextmanager
def _waiting(path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A run that has measured one scenario and is in the midst of the next, and the id of that one's Redis."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = next((line for line in process.stdout if line.startswith("waiting ")), "")
        if not said:
            _, told = process.communicate()
            pytest.skip(told) if "not measured: no " in told else pytest.fail(told)
        time.sleep(0.1)  # it is between saying so and waiting
        yield process, int(said.split()[1])
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_a_plan_tells_what_is_being_done_without_a_terminal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def measure(plan: Plan) -> Sequence[Table]:
        plan.tell("round 1 of 3: gatepost")
        return [ADDED]

    monkeypatch.setattr(command, "load", lambda _name: measure)
    assert main(["cold", "--results", str(path)]) == 0
