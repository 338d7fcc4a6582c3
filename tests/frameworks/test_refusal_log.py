"""The log of refusals: a line each, with what helps to find the reason, and never more than were asked for."""

import logging
from typing import Any

import pytest

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, RefusalLog, requires
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, ask, bearer, http_scope, websocket_scope
from tests.frameworks.contract import INVENTED
from tests.frameworks.test_options import app


class Lines(logging.Handler):
    """What `gatepost.refusals` was told."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def texts(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Any:
    lines = Lines()
    logger = logging.getLogger("gatepost.refusals")
    monkeypatch.setattr(logger, "level", logging.INFO)
    logger.manager._clear_cache()  # type: ignore[attr-defined]  # it remembers what was enabled
    logger.addHandler(lines)
    yield lines
    logger.removeHandler(lines)


async def test_each_refusal_is_a_line_with_code_key_and_path_and_without_a_secret(
    keys: APIKeys, issuance: Issuance, lines: Lines
) -> None:
    guarded = APIKeyMiddleware(app, keys, project="acme")
    off, stranger = issuance.deactivated, issuance.stranger
    refused = [
        ({}, "key_missing", None),
        (bearer("nonsense"), "key_invalid", None),
        (bearer(INVENTED), "key_invalid", None),
        (bearer(off.secret), "key_deactivated", off.key.id),
        (bearer(stranger.secret), "project_denied", stranger.key.id),
        ({**bearer(off.secret), "X-API-Key": stranger.secret}, "key_ambiguous", None),
    ]
    for number, (headers, code, key_id) in enumerate(refused):
        await ask(guarded, http_scope(f"/objects/{number}", headers, query_string=b"token=hidden"))
        record = lines.records[-1]
        assert len(lines.records) == number + 1
        assert (record.levelno, vars(record)["outcome"], vars(record)["key_id"]) == (logging.INFO, code, key_id)
        who = f"key {key_id}" if key_id else "no key that is known"
        assert record.getMessage() == f"Refused with {code}: {who}, GET /objects/{number}"
    assert (await ask(guarded, http_scope("/", bearer(issuance.uploader.secret)))).status_code == 200
    async with Connection(guarded, websocket_scope("/feed", bearer(off.secret))) as connection:
        connection.give("websocket.connect")
        await connection.answer()
    assert lines.texts[len(refused) :] == [f"Refused with key_deactivated: key {off.key.id}, WebSocket /feed"]
    told = "".join(lines.texts)
    assert not any(each.secret in told for each in issuance)


async def test_a_path_is_one_line_whatever_it_holds(keys: APIKeys, lines: Lines) -> None:
    guarded = APIKeyMiddleware(app, keys)
    await ask(guarded, http_scope("/a\nRefused with nothing\x1b[0m\u2028" + "x" * 500))
    (text,) = lines.texts
    assert text.isprintable()
    assert r"/a\nRefused with nothing\x1b[0m\u2028xxx" in text
    assert len(text) < 300


async def test_no_more_lines_than_were_asked_for_and_the_others_are_counted(keys: APIKeys, lines: Lines) -> None:
    now = 1000.0
    guarded = APIKeyMiddleware(app, keys, refusal_log=RefusalLog(level="WARNING", per_minute=3, clock=lambda: now))
    for _ in range(10):
        await ask(guarded, http_scope("/"))
    assert len(lines.texts) == 3
    now += 59.9
    await ask(guarded, http_scope("/"))
    assert len(lines.texts) == 3
    now += 0.2
    await ask(guarded, http_scope("/late"))
    assert lines.texts[3:] == [
        "8 more requests were refused, and not told one by one",
        "Refused with key_missing: no key that is known, GET /late",
    ]
    assert {record.levelno for record in lines.records} == {logging.WARNING}


async def test_none_are_told_where_none_are_wanted(keys: APIKeys, lines: Lines) -> None:
    silent = APIKeyMiddleware(app, keys, refusal_log=RefusalLog(per_minute=0))
    quiet = APIKeyMiddleware(app, keys, refusal_log=RefusalLog(level=logging.DEBUG))
    for guarded in (silent, quiet):
        await ask(guarded, http_scope("/"))
    assert lines.records == []


async def test_a_missing_permission_is_told_with_its_key(keys: APIKeys, issuance: Issuance, lines: Lines) -> None:
    guarded = APIKeyMiddleware(requires("FILE_UPLOAD")(app), keys)
    assert (await ask(guarded, http_scope("/up", bearer(issuance.reader.secret)))).status_code == 403
    assert lines.texts == [f"Refused with permission_denied: key {issuance.reader.key.id}, GET /up"]


@pytest.mark.parametrize("options", [{"level": "LOUD"}, {"level": None}, {"per_minute": -1}, {"per_minute": 1.5}])
def test_a_log_that_cannot_be_is_an_error(options: Any) -> None:
    with pytest.raises(BadInputError, match=next(iter(options))):
        RefusalLog(**options)
