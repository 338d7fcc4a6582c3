"""The memory hit is compiled where that can be done, without a warning, and everything works where it cannot."""

import os
import shutil
import subprocess
import sys
import sysconfig
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from build_hit import ROOT, SOURCE, NotBuiltError, build, is_wanted
from starlette.types import Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys
from gatepost.base.secret import digest
from gatepost.compiled import compiled, is_built
from gatepost.lookup.lookup import Lookup

STRICT = ("-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Werror", "-O2")

SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-builtin", "-O1", "-g")


def run(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command of this Python, from the root."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    assert build(ROOT / SOURCE, tmp_path, STRICT).exists()


def test_what_the_compiler_does_not_take_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "hit.c").write_text("int main(void) { return no; }")
    with pytest.raises(NotBuiltError, match=r"hit\.c"):
        build(tmp_path, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["hit.c"]


def test_a_folder_that_cannot_be_written_to_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="its folder cannot be written to"):
        build(ROOT / SOURCE, tmp_path / "not there", ["-O0"])


def test_what_was_compiled_of_other_sources_is_not_run(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    look = [sys.executable, "-c", "from gatepost.compiled import is_built; print(is_built())"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src"), "GATEPOST_PURE": ""}
    for edit, built in (("", True), ("/* of another version */", False)):
        with (tmp_path / "src" / "gatepost" / "compiled" / "memory.c").open("a") as source:
            source.write(edit)
        done = subprocess.run(look, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(built)
        assert ("is of other sources" in done.stderr) is not built


def test_without_a_compiler_it_says_so_and_goes_on() -> None:
    done = run("build_hit.py", CC="/nowhere/cc", LDSHARED="/nowhere/cc")
    assert done.returncode == 0
    assert "Memory hits run in Python here, since they could not be compiled" in done.stderr


def test_the_environment_can_have_everything_run_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    look = "from gatepost.compiled import is_built; print(is_built())"
    assert run("-c", look, GATEPOST_PURE="1").stdout == "False\n"
    assert run("-c", look, GATEPOST_PURE="0").stdout == f"{is_built()}\n"
    for given, wanted in (("1", False), ("true", False), ("", True), ("0", True), ("False", True)):
        monkeypatch.setenv("GATEPOST_PURE", given)
        assert is_wanted() is wanted


async def test_where_nothing_was_built_python_is_what_runs(
    ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None: ...

    monkeypatch.setattr(compiled, "_hit", None)
    async with APIKeys(ready_sqlite_url) as keys:
        assert keys.hit == keys._opened().lookup.hit
        assert APIKeyMiddleware(app, keys)._let_in is None
        assert not (await keys.status()).compiled
        assert compiled.hit_first(app) is app


async def test_status_tells_what_runs(either_way: str, ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url) as keys:
        assert (await keys.status()).compiled is (either_way == "compiled")
        assert (getattr(keys.hit, "__func__", None) is Lookup.hit) is (either_way == "Python")


@pytest.mark.parametrize("path", [None, "/nowhere", os.__file__])
async def test_without_openssl_at_hand_hashlib_hashes(
    ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    hit = compiled._hit
    if hit is None:
        pytest.skip("memory hits are not compiled here: no compiler, or GATEPOST_PURE is set")
    hashed: list[bytes] = []

    def noted(text: bytes) -> Any:
        hashed.append(text)
        return sha256(text)

    monkeypatch.setattr(compiled, "sha256", noted)

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None: ...

    async def nothing(*_: object) -> Any: ...

    try:
        assert hit.find_openssl(path) is False
        async with APIKeys(ready_sqlite_url) as keys:
            secret = (await keys.create("a key", ["OBJECTS_LIST"])).secret
            await keys.verify(secret)
            scope: Scope = {"type": "http", "path": "/", "headers": [(b"x-api-key", secret.encode())]}
            await APIKeyMiddleware(app, keys)(scope, nothing, nothing)
            assert scope["api_key"] is keys.hit(digest(secret.encode()))
    finally:
        compiled._load()
    assert hashed == [secret.encode()]


def test_memory_is_used_as_it_should_be_by_all_that_a_request_can_be(tmp_path: Path) -> None:
    """The tests of the hit and of its coroutine, under AddressSanitizer and UndefinedBehaviorSanitizer."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    libraries = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    if not all(Path(library).is_absolute() for library in libraries):
        pytest.skip("the compiler has no sanitizers")
    built = build(ROOT / SOURCE, tmp_path, SANITIZED)
    done = run(
        *("-m", "tests.compiled.sanitized", str(built)),
        LD_PRELOAD=" ".join(libraries),
        ASAN_OPTIONS="detect_leaks=0:halt_on_error=1",  # Python itself leaves much to the system at its end
        PYTHONMALLOC="malloc",  # else a freed object's memory stays in Python's own pools
        CI="",
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
