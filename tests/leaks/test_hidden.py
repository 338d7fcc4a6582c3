"""While a report is worked on, no variable of ours holds a secret: who reports errors sees variables too."""

import json
import traceback
from collections.abc import Iterator
from types import TracebackType

import pytest

from gatepost import APIKeys
from gatepost.leaks import GitHub, GitLab
from tests.leaks.conftest import Caller
from tests.leaks.signing import signer
from tests.leaks.test_github import ONE, Fetch, body_of, told
from tests.leaks.test_gitlab import KIND

TOKEN = "t" * 40


class FaultError(Exception):
    """Nobody has thought of it."""


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database fails in a way that nobody has thought of."""

    async def fail(*_arguments: object) -> None:
        raise FaultError

    monkeypatch.setattr("gatepost.database.database.Database.change", fail)


def seen(failure: TracebackType | None) -> Iterator[str]:
    """The variables of each of our frames."""
    for frame, _ in traceback.walk_tb(failure):
        if "/src/gatepost/" in frame.f_code.co_filename:
            yield repr(frame.f_locals)


async def test_no_variable_holds_the_secret_of_a_report(keys: APIKeys, fails: None) -> None:
    secret = keys._opened().format.make("4fT0aK9sQ2Lm")
    with pytest.raises(FaultError) as raised:
        await keys.report_leak(secret)
    variables = [*seen(raised.tb)]
    assert len(variables) >= 2
    assert not [each for each in variables if secret in each]


@pytest.mark.parametrize("source", ["revoke", "gitlab", "github"])
async def test_no_variable_holds_the_secrets_that_a_source_told_of(
    keys: APIKeys, calling: Caller, fails: None, source: str
) -> None:
    secret = keys._opened().format.make("4fT0aK9sQ2Lm")
    by = signer(ONE)
    async with calling(github=GitHub(client=Fetch(by)), gitlab=GitLab(TOKEN)) as client:
        path, body, headers = {
            "revoke": ("/revoke", json.dumps({"secrets": [secret]}).encode(), {}),
            "gitlab": ("/gitlab/v1/revoke_tokens", body_of(told(secret, type=KIND)), {"authorization": TOKEN}),
            "github": ("/github", body_of(told(secret)), by.headers(body_of(told(secret)))),
        }[source]
        with pytest.raises(FaultError) as raised:
            await client.post(path, content=body, headers=headers)
    variables = [*seen(raised.tb)]
    assert len(variables) >= 4
    assert not [each for each in variables if secret in each]
