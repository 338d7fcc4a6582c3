"""Which Pythons the suite's core runs on, and what pyproject.toml may claim."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pythons import (
    CORE,
    LEFT_OUT,
    ROOT,
    NotTakenError,
    Python,
    candidates,
    claimed,
    looked_at,
    newest,
    objections,
    progress,
)

HERE = Python(sys.version_info[:3], Path(sys.executable))


def interpreter(path: Path, **said: Any) -> Path:
    """A program that says of itself what an interpreter would: a released CPython 3.13.1, except for `said`."""
    facts = {"implementation": "cpython", "version": [3, 13, 1], "release": "final", "has_lock": True} | said
    return program(path, f"echo '{json.dumps(facts)}'")


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_pyenvs_versions_and_those_on_the_path_are_looked_at(tmp_path: Path) -> None:
    kept = [
        interpreter(tmp_path / "pyenv/versions/3.12.1/bin/python"),
        interpreter(tmp_path / "pyenv/versions/3.13.0/bin/python"),
        interpreter(tmp_path / "bin/python3.14"),
    ]
    for name in ("python3", "python3.14t", "python3.14-config", "python2.7"):
        interpreter(tmp_path / "bin" / name)
    path = os.pathsep.join([str(tmp_path / "bin"), str(tmp_path / "no such folder")])
    assert list(candidates({"PATH": path, "PYENV_ROOT": str(tmp_path / "pyenv")})) == kept


def test_without_pyenv_root_its_versions_are_those_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    there = interpreter(tmp_path / ".pyenv/versions/3.12.1/bin/python")
    assert list(candidates({"PATH": ""})) == [there]


def test_an_interpreter_is_what_it_says_of_itself(tmp_path: Path) -> None:
    link = tmp_path / "python3.99"
    link.symlink_to(Path(sys.executable).resolve())
    assert looked_at(link) == Python(HERE.version, link)
    assert looked_at(interpreter(tmp_path / "python3.11")).version == (3, 13, 1)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"implementation": "pypy"}, "is pypy"),
        ({"version": [3, 10, 13]}, r"is 3\.10\.13"),
        ({"release": "candidate"}, "not released yet"),
        ({"has_lock": False}, "free-threaded"),
    ],
)
def test_what_no_claim_is_about_is_not_taken(tmp_path: Path, said: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotTakenError, match=reason):
        looked_at(interpreter(tmp_path / "python3.13", **said))


def test_what_does_not_run_is_not_taken_and_its_own_words_say_why(tmp_path: Path) -> None:
    shim = program(tmp_path / "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    with pytest.raises(NotTakenError, match=r"does not run: pyenv: python3\.12: command not found"):
        looked_at(shim)
    bare = program(tmp_path / "python3.13", "echo 'Traceback (most recent call last):\n  x\nno ensurepip' >&2; exit 1")
    with pytest.raises(NotTakenError, match="does not run: no ensurepip"):
        looked_at(bare)
    with pytest.raises(NotTakenError, match="does not run"):
        looked_at(program(tmp_path / "python3.14", "exit 0"))
    with pytest.raises(NotTakenError, match="does not run"):
        looked_at(tmp_path / "python3.15")


def test_of_a_minor_version_the_newest_is_taken_and_of_two_alike_the_first() -> None:
    pyenv, newer, same, other = (
        Python((3, 11, 2), Path("a")),
        Python((3, 11, 7), Path("b")),
        Python((3, 11, 7), Path("c")),
        Python((3, 9, 1), Path("d")),
    )
    assert newest([pyenv, newer, same, other]) == {(3, 9): other, (3, 11): newer}


def test_the_claims_are_the_classifiers_of_minor_versions(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nclassifiers = ["Programming Language :: Python :: 3", '
        '"Programming Language :: Python :: 3.9", "Programming Language :: Python :: 3.12", "Typing :: Typed"]'
    )
    assert claimed(tmp_path / "pyproject.toml") == {(3, 9), (3, 12)}
    assert HERE.minor in claimed(ROOT / "pyproject.toml")


def test_what_is_claimed_and_what_is_here_are_the_same_three_or_more() -> None:
    three = {(3, 11), (3, 12), (3, 13)}
    assert objections(three, three) == []
    assert objections({(3, 11)}, {(3, 11)}) == ["found 1 minor version(s) of CPython from 3.11 up, not 3 or more"]
    assert objections(three, three | {(3, 14)}) == [
        "pyproject.toml claims 3.14, not found here: install it, or take the classifier away"
    ]
    assert objections(three | {(3, 9), (3, 14)}, three) == [
        "pyproject.toml does not claim 3.9, 3.14, found here: add the classifier"
    ]


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_a_machine_with_one_python_says_so_and_passes_except_in_ci(tmp_path: Path, ci: str, code: int) -> None:
    environment = {"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path), "CI": ci}
    done = subprocess.run(
        [sys.executable, "-m", "tests.pythons"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert f"CPython {HERE.name} ({sys.executable}) runs the whole suite." in done.stdout
    assert "There is no other CPython from 3.11 up on this machine." in done.stdout
    assert "found 1 minor version(s)" in done.stdout


def test_the_core_is_there() -> None:
    for each in (*(f"tests/{folder}" for folder in CORE), *LEFT_OUT):
        assert (ROOT / each).exists(), each


def test_the_progress_of_a_run_is_the_last_that_pytest_printed() -> None:
    assert progress("Installing 50% ...\n") is None
    assert progress("......F.. [  7%]\n.s.. [ 42%]\n.....") == "42%"
