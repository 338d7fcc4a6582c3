"""The rules that `gatepost scanners` prints, in the scanners themselves: secrets of the prefix are found, and no
others.

Which of them tell near misses by the checksum is written here, and in docs/scanners.md.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gatepost import BadInputError
from gatepost.base.secret import SecretFormat
from gatepost.scanners import SCANNERS, rules_for
from tests.test_scanners import ID, re2

PREFIX = "acme_live"
BIN = Path(sys.executable).parent
SECRETLINT = ("secretlint@13.0.6", "@secretlint/secretlint-rule-pattern@13.0.6")


def made(prefix: str = PREFIX) -> str:
    return SecretFormat([bytes(32)], prefix).make(ID, bytes(range(20)))


SECRET = made()
NEAR_MISS = SECRET[:-1] + ("0" if SECRET[-1] != "0" else "1")
TEXT = f'key = "{SECRET}"\nmissed = "{NEAR_MISS}"\nother = "{made("gp")}"\nshort = "{SECRET[:-1]}"\n'

Scan = Callable[[Path, Path], Sequence[str]]
"""From a file of rules and a folder to what was found there."""


def run(*words: str | Path, codes: Sequence[int], cwd: Path | None = None) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode in codes, done.stderr + done.stdout
    return done.stdout


def betterleaks(rules: Path, folder: Path) -> Sequence[str]:
    """By the makers of gitleaks, which reads gitleaks' rules; gitleaks itself is in no registry."""
    import betterleaks as scanner  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415

    found = scanner.scan_string((folder / "leak.txt").read_text(), str(rules))
    return [each.match.value for each in found]


def trufflehog(rules: Path, folder: Path) -> Sequence[str]:
    """Only its regular expression, in the engine of its language: it is in no registry."""
    told, text = rules.read_text(), (folder / "leak.txt").read_text()
    keyword, pattern = re.search(r"^ +- (\w+)$", told, re.MULTILINE), re.search(r"secret: '(.+)'", told)
    assert keyword is not None
    assert pattern is not None
    assert keyword[1] in text
    return re2(pattern[1], text)


def detect_secrets(rules: Path, folder: Path) -> Sequence[str]:
    plugin = folder.parent / "plugin.py"
    plugin.write_text(rules.read_text())
    lines = (folder / "leak.txt").read_text().splitlines()
    told = json.loads(run(BIN / "detect-secrets", "scan", "-p", plugin, "--all-files", folder, codes=[0], cwd=folder))
    every = [each for found in told["results"].values() for each in found if each["type"] == "gatepost API key"]
    return [lines[each["line_number"] - 1].split('"')[1] for each in every]


def kingfisher(rules: Path, folder: Path) -> Sequence[str]:
    words = [
        "scan",
        str(folder),
        "--rules-path",
        str(rules),
        "--rule",
        "custom.gatepost",
        "--load-builtins=false",
        "-n",
    ]
    told = run(
        BIN / "kingfisher", *words, "--no-rule-cache", "--format", "json", "--quiet", "--no-dedup", codes=[0, 200, 205]
    )
    findings = json.loads(told[told.index("{") :])["findings"]
    return [each["finding"]["snippet"] for each in findings]


@pytest.fixture(scope="session")
def secretlint_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is installed."""
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine")
    folder = tmp_path_factory.mktemp("secretlint")
    (folder / "package.json").write_text("{}")
    run("npm", "install", "--no-save", "--no-audit", "--no-fund", *SECRETLINT, codes=[0], cwd=folder)
    return folder


@pytest.fixture
def scanning(tmp_path: Path) -> Callable[[str, Scan], Sequence[str]]:
    """Writes the rules and a leak, and scans."""

    def scan(scanner: str, how: Scan) -> Sequence[str]:
        folder = tmp_path / "code"
        folder.mkdir()
        (folder / "leak.txt").write_text(TEXT)
        rules = tmp_path / "rules"
        rules.write_text(rules_for(scanner, PREFIX))
        return how(rules, folder)

    return scan


@pytest.mark.parametrize(
    ("scanner", "how", "finds"),
    [
        ("gitleaks", betterleaks, [SECRET, NEAR_MISS]),
        ("trufflehog", trufflehog, [SECRET, NEAR_MISS]),
        ("detect-secrets", detect_secrets, [SECRET]),
        ("kingfisher", kingfisher, [SECRET]),
    ],
)
def test_a_scanner_finds_secrets_of_the_prefix_and_no_others(
    scanning: Callable[[str, Scan], Sequence[str]], scanner: str, how: Scan, finds: Sequence[str]
) -> None:
    assert sorted(scanning(scanner, how)) == sorted(finds)


def test_secretlint_finds_secrets_of_the_prefix_and_no_others(
    scanning: Callable[[str, Scan], Sequence[str]], secretlint_folder: Path
) -> None:
    def secretlint(rules: Path, folder: Path) -> Sequence[str]:
        config = secretlint_folder / ".secretlintrc.json"
        config.write_text(rules.read_text())
        (secretlint_folder / "leak.txt").write_text((folder / "leak.txt").read_text())
        program = secretlint_folder / "node_modules" / ".bin" / "secretlint"
        words = ["--secretlintrc", str(config), "--format", "json", "--no-maskSecrets", "leak.txt"]
        (told,) = json.loads(run(program, *words, codes=[1], cwd=secretlint_folder))
        text = (secretlint_folder / "leak.txt").read_text()
        return [text[slice(*each["range"])] for each in told["messages"]]

    assert sorted(scanning("secretlint", secretlint)) == sorted([SECRET, NEAR_MISS])


def test_rules_of_an_unknown_scanner_or_prefix_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"gitleaks, trufflehog, detect-secrets, secretlint, kingfisher"):
        rules_for("grep", "gp")
    for scanner in SCANNERS:
        with pytest.raises(BadInputError, match="prefix"):
            rules_for(scanner, "'; rm")
