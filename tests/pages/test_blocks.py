"""No block of code on a page is left out: each is in a language that something here looks at."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import http_sf
import orjson
import promql_parser as promql
import pytest
import yaml  # type: ignore[import-untyped]

from gatepost.asgi.expiry.notice import FIELD
from gatepost.coverage.baseline import read_baseline
from gatepost.database.connecting.url import parse_url, to_driver
from gatepost.redis.url import check_url
from gatepost.telemetry.metrics import DURATIONS, METRICS
from tests.pages.programs import check
from tests.pages.reading import ALL, Block, blocks_in, of
from tests.pages.shell import commands, typed
from tests.pages.test_python import ELSEWHERE, RUNS, TESTS

TEXTS = {
    "docs/addresses.md": "a line of the log: tests/asgi and tests/frameworks/test_refusal_log.py hold its words",
    "docs/architecture.md": "the picture of the rooms: tests/test_rooms.py",
    "docs/scanners.md": "the expression for scanners: tests/test_pages.py",
    "docs/tutorial.md": "the expression for scanners: tests/test_pages.py",
}
"""Pages with one block that is no code, and what holds it to be right."""

FIELDS = {b"ratelimit-policy", b"ratelimit", FIELD}
"""Of answers, that pages show."""


def _no_code(block: Block) -> None:
    assert block.page in TEXTS, f"{block}: say in which language it is, or in TEXTS what holds it to be right"


def _python(block: Block) -> None:
    assert block.page in RUNS | TESTS | set(ELSEWHERE), "every page's runs in test_python.py"


def _typed(block: Block) -> None:
    for line in typed(block):
        for command in commands(line):
            check(command)


def _toml(block: Block) -> None:
    tomllib.loads(block.text)


def _yaml(block: Block) -> None:
    assert all(isinstance(each, dict) for each in yaml.safe_load_all(block.text)), "each is an object"


def _json(block: Block) -> None:
    orjson.loads(block.text)


def _promql(block: Block) -> None:
    known = {f"gatepost_{metric.name}{end}" for metric in METRICS for end in ("", "_total")}
    known |= {f"gatepost_{each.name}_{end}" for each in DURATIONS.values() for end in ("bucket", "count", "sum")}
    for line in block.text.splitlines():
        promql.parse(line)
        assert set(re.findall(r"gatepost_\w+", line)) <= known, line


def _http(block: Block) -> None:
    for line in block.text.splitlines():
        name, _, value = line.partition(": ")
        assert name.lower().encode() in FIELDS, line
        http_sf.parse(value.encode(), tltype="list" if "ratelimit" in name.lower() else "item")


def _urls(block: Block) -> None:
    for url in block.text.splitlines():
        if "/etc/gatepost/ca.pem" in url:
            continue  # there has to be such a file: tests/database/test_tls.py has one, and the servers
        if url.startswith("redis"):
            check_url(url)
        else:
            to_driver(parse_url(url))


def _elsewhere(_: Block) -> None:
    """Given to real servers, all of them, by tests/database/test_rights.py and tests/freshness/test_redis_rights.py."""


LANGUAGES: Mapping[str, Callable[[Block], None]] = {
    "python": _python,
    "sh": _typed,
    "console": _typed,
    "toml": _toml,
    "yaml": _yaml,
    "json": _json,
    "promql": _promql,
    "http": _http,
    "url": _urls,
    "sql": _elsewhere,
    "redis": _elsewhere,
    "text": _no_code,
}
"""Every language that a block may be in, and how it is looked at."""


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_is_in_a_language_that_is_looked_at_and_means_something_there(block: Block) -> None:
    assert block.language in LANGUAGES, (
        f"{block}: nothing here looks at {block.language or 'a block without a language'}"
    )
    LANGUAGES[block.language](block)


def test_texts_that_are_no_code_are_few_and_there() -> None:
    assert sorted(block.page for block in of("text")) == sorted(TEXTS)


def test_the_baseline_of_coverage_is_one(tmp_path: Path) -> None:
    (block,) = [each for each in of("toml") if each.page == "docs/coverage.md"]
    (tmp_path / "coverage.toml").write_text(block.text)
    assert read_baseline(tmp_path / "coverage.toml") == {"key_only": ["GET /me"]}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("gatepost keys creat me", "No such command 'creat'"),
        ("gatepost keys create me --permision FILE_UPLOAD", "No such option: --permision"),
        ("gatepost keys list --state sleeping", "'sleeping' is not one of"),
        ("gatepost keys show", "Missing parameter: key_id"),
        ('SECRET=$(gatepost keys create "me" --quite)', "No such option: --quite"),
        ("cat secret | gatepost keys deactivate -", "'cat' is no program"),
        ("gatepost keys list -q | gatepost keys deactivate - --yess", "No such option: --yess"),
        ("GATEPOST_MAX_STALENES=5 uvicorn main:app", "Did you mean GATEPOST_MAX_STALENESS"),
        ("pip install 'gatepost[postgre]'", "postgre"),
        ("make demos", "demos"),
        ("rm -rf .", "'rm' is no program"),
        ("python -c 'print('", "was never closed"),
        ('echo "$(gatepost keys list', "nothing closes"),
        ("cd exampels", "exampels"),
    ],
)
def test_a_line_that_would_fail_is_found(line: str, told: str) -> None:
    with pytest.raises(Exception, match=re.escape(told)):
        _typed(Block("docs/new.md", 1, "sh", line))


def look(text: str) -> None:
    """As the tests look at a page."""
    for block in blocks_in(text, "docs/new.md"):
        test_a_block_is_in_a_language_that_is_looked_at_and_means_something_there(block)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```\npip install gatepost\n```\n", "without a language"),
        ("```ruby\nputs 1\n```\n", "nothing here looks at ruby"),
        ("- a list\n\n  ~~~ini\n  [a]\n  ~~~\n", "nothing here looks at ini"),
        ("```text\nsome words\n```\n", "in TEXTS"),
        ("```console\ngatepost keys list\n```\n", "begin it with"),
        ("```json\n{'a': 1}\n```\n", "unexpected character"),
        ("```promql\nrate(gatepost_request_total[5m])\n```\n", "gatepost_request_total"),
        ("```http\nRateLimits: 1\n```\n", "RateLimits"),
        ("```url\npostgres-host/keys\n```\n", "database"),
        ("```toml\na = \n```\n", "Invalid value"),
        ("```yaml\n- a\n```\n", "an object"),
        ("```python\nprint(1)\n```\n", "test_python"),
        ("````sh\ncurl -s localhost\n```\n", "nothing ends this block"),
    ],
)
def test_a_new_page_or_language_that_nothing_looks_at_is_found(text: str, told: str) -> None:
    with pytest.raises((AssertionError, ValueError, yaml.YAMLError), match=re.escape(told)):
        look(text)
