"""The published pattern in the engines that scanners are made with, where leaks really lie."""

import json
import re
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from gatepost import secret_pattern
from gatepost.base.secret import SecretFormat, checksum

ID = "4fT0aK9sQ2Lm"
SECRET = SecretFormat([bytes(32)]).make(ID, bytes(range(20)))

OF_ENVIRONMENTS = [SecretFormat([bytes(32)]).make(ID, bytes(range(20)), each) for each in ("live", "test")]

LEAKS = {
    "alone": SECRET,
    "quoted": f'key = "{SECRET}"',
    "in a shell": f"export API_KEY={SECRET}; run",
    "JSON, after a newline": json.dumps({"message": f"the new key is\n{SECRET}\nkeep it"}),
    "JSON, after a tab": json.dumps({"cells": f"key\t{SECRET}\tend"}),
    "JSON in JSON": json.dumps(json.dumps({"key": f"\n{SECRET}"})),
    "JSON, after an escaped sign": json.dumps(f"é{SECRET}é"),
    "a URL": f"https://example.org/objects?api_key={SECRET}&page=2",
    "a URL within a URL": "/login?next=" + urllib.parse.quote(f"/objects?api_key={SECRET}&x=1", safe=""),
    "a form, quoted": urllib.parse.urlencode({"q": f'"{SECRET}"'}),
    "a coloured terminal": f"\x1b[1;32m{SECRET}\x1b[0m",
    "colours without their escapes": f"[32m{SECRET}[0m",
    "HTML": f"<td>{SECRET}</td>&#39;{SECRET}&#39;",
    "after a word": f"token{SECRET}",
    "two in a line": f"{SECRET},{SECRET}",
}

NO_LEAKS = {
    "cut short": SECRET[:-1],
    "longer": SECRET + "A",
    "another prefix": SECRET.replace("gp_", "gq_"),
    "without its prefix": SECRET[3:],
    "capitals": SECRET.replace("gp_", "GP_"),
    "a longer id": SECRET.replace(ID, ID + "A"),
    "a dash for an underscore": SECRET.replace("_", "-"),
    "its hint": "gp_4fT0...wxyz",
    "an environment that there is not": SECRET.replace("gp_", "gp_demo_"),
    "two environments": OF_ENVIRONMENTS[0].replace("gp_", "gp_test_"),
}

Finder = Callable[[str, str], Sequence[str]]
"""From pattern and text to what was found."""


def command(*words: str) -> Finder:
    """A program that prints each find on a line of its own; 1 = none."""

    def find(pattern: str, text: str) -> Sequence[str]:
        given = [word.replace("PATTERN", pattern) for word in words]
        done = subprocess.run(given, input=text, capture_output=True, text=True, check=False)
        assert done.returncode in {0, 1}, done.stderr
        return done.stdout.split()

    return find


def node() -> str:
    """Playwright's wheel brings one along."""
    spec = find_spec("playwright")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "driver" / "node")


def re2(pattern: str, text: str) -> Sequence[str]:
    """Google's, as in Go and in BigQuery."""
    import re2 as engine  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415

    found: Sequence[str] = engine.findall(pattern, text)
    return found


def hyperscan(pattern: str, text: str) -> Sequence[str]:
    """Intel's, as in GitHub's and many a network's scanners."""
    import hyperscan as engine  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415

    database = engine.Database()
    database.compile([pattern.encode()], ids=[0], elements=1, flags=engine.HS_FLAG_SOM_LEFTMOST)
    found: list[str] = []
    raw = text.encode()
    database.scan(raw, match_event_handler=lambda _id, start, end, *_: found.append(raw[start:end].decode()))
    return found


PERL = r'my $pattern = shift; while (<STDIN>) { print "$&\n" while /$pattern/g }'
JAVASCRIPT = (
    "const text = require('fs').readFileSync(0, 'utf8');"
    "for (const found of text.matchAll(new RegExp(process.argv[1], 'g'))) console.log(found[0])"
)

ENGINES: dict[str, Finder] = {
    "Python": re.findall,
    "Python, bytes": lambda pattern, text: [each.decode() for each in re.findall(pattern.encode(), text.encode())],
    "grep -E": command("grep", "-oE", "PATTERN"),
    "grep -P": command("grep", "-oP", "PATTERN"),
    "ripgrep": command("rg", "-oN", "PATTERN", "-"),
    "Perl": command("perl", "-e", PERL, "PATTERN"),
    "JavaScript": command(node(), "-e", JAVASCRIPT, "PATTERN"),
    "RE2": re2,
    "Hyperscan": hyperscan,
}
PROGRAMS = {"ripgrep": "rg", "Perl": "perl"}


@pytest.fixture(params=ENGINES)
def find(request: pytest.FixtureRequest) -> Finder:
    """The test runs once for each engine; skipped where the machine has it not, which in CI fails."""
    program = PROGRAMS.get(request.param)
    if program is not None and shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine")
    return ENGINES[request.param]


def test_a_secret_is_found_whole_wherever_it_leaks(find: Finder) -> None:
    missed = [name for name, text in LEAKS.items() if set(find(secret_pattern(), text)) != {SECRET}]
    assert missed == []
    assert len(find(secret_pattern(), LEAKS["two in a line"])) == 2


@pytest.mark.parametrize("secret", OF_ENVIRONMENTS)
def test_a_secret_of_an_environment_is_found_whole_as_any_other(find: Finder, secret: str) -> None:
    texts = [text.replace(SECRET, secret) for text in LEAKS.values()]
    assert [text for text in texts if set(find(secret_pattern(), text)) != {secret}] == []


def test_what_is_no_secret_is_not_found(find: Finder) -> None:
    assert [name for name, text in NO_LEAKS.items() if find(secret_pattern(), text)] == []


def test_the_end_of_a_secret_with_a_longer_prefix_is_told_by_its_checksum() -> None:
    longer = SecretFormat([bytes(32)], "my_gp").make(ID, bytes(range(20)))
    (found,) = re.findall(secret_pattern(), longer)
    assert checksum(found[:-6].encode()) != found[-6:].encode()
    (found,) = re.findall(secret_pattern(), LEAKS["JSON, after a newline"])
    assert checksum(found[:-6].encode()) == found[-6:].encode()


@pytest.mark.parametrize("piece", ["gp_", f"gp_{ID}_", SECRET[:-1] + "_", "g"])
def test_the_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        begun = time.process_time()
        for _ in range(3):
            re.findall(secret_pattern(), text)
        return time.process_time() - begun

    short, long = min(seconds(200_000) for _ in range(3)), min(seconds(1_600_000) for _ in range(3))
    assert long < 8 * short * 4 + 0.01  # the square would be 64 times as long
