"""Virtual keys of LiteLLM, made by its own code in its own tables, moved here by the code of the page."""

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from gatepost import APIKey, APIKeys, Rate, Slots
from tests.coming.litellm_package import install, migrations
from tests.readme import ROOT, blocks

MOVED, LITELLM = blocks("docs/coming.md")[0:3:2]

KEYS: Mapping[str, Mapping[str, Any]] = {
    "nightly": {
        "key_alias": "nightly",
        "user_id": "ann",
        "team_id": "acme",
        "models": ["gpt-5", "openai/gpt-4o", "claude-5"],
        "allowed_routes": ["/v1/models"],
        "rpm_limit": 7,
        "max_parallel_requests": 2,
        "duration": "3d",
        "key_max_budget": 10.0,
        "spend": 9.5,
        "metadata": {"tags": ["batch"], "logging": [{"callback_vars": {"langfuse_secret_key": "sk-lf-1"}}]},
    },
    "plain": {},
    "of the team": {"team_id": "acme", "models": ["all-team-models"]},
    "of a budget": {"budget_id": "shared"},
    "of other routes": {"allowed_routes": ["info_routes"]},
    "blocked": {"blocked": True},
    "of a blocked team": {"team_id": "closed"},
    "spent": {"spend": 5.0, "key_max_budget": 5.0},
    "expired": {"duration": "0s"},
}

BESIDE = """
INSERT INTO "LiteLLM_TeamTable" (team_id, models, blocked, admins, members)
VALUES ('acme', '{gpt-5,openai/*}', false, '{}', '{}'), ('closed', '{}', true, '{}', '{}');
INSERT INTO "LiteLLM_BudgetTable" (budget_id, rpm_limit, created_by, updated_by) VALUES ('shared', 3, 'ann', 'ann')
"""

Make = Callable[[str, Sequence[Mapping[str, Any]]], list[str]]
Move = Callable[[str, APIKeys], Awaitable[Sequence[APIKey]]]


@pytest.fixture(scope="module")
def home() -> Path:
    """Where LiteLLM is."""
    return install()


@pytest.fixture(scope="module")
def make(home: Path) -> Iterator[Make]:
    """Has LiteLLM make keys in a database; their secrets. It takes seconds to be imported, so one process makes all."""
    command = (sys.executable, "-m", "tests.coming.litellm_keys", home)
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # else it asks the network for prices
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        answers = process.stdout
        assert process.stdin is not None
        assert answers is not None

        def ask(theirs: str, wanted: Sequence[Mapping[str, Any]]) -> list[str]:
            print(json.dumps([theirs, wanted]), file=process.stdin, flush=True)
            secrets: list[str] = json.loads(answers.readline())
            return secrets

        yield ask
        process.stdin.close()


@pytest.fixture
def theirs(home: Path, postgres_url: str) -> str:
    """LiteLLM's database, as its migrations leave it, with teams and a budget."""
    url = make_url(postgres_url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statements in (*migrations(home), BESIDE):
            connection.exec_driver_sql(statements)
    return url


async def seen(keys: APIKeys) -> tuple[int, int]:
    """How many keys there are, and how many lines of the audit log."""
    return (await keys.count()).number, len((await keys.events(limit=500)).items)


async def test_keys_of_litellm_work_here_as_they_did_there(make: Make, theirs: str, tmp_path: Path) -> None:
    secrets = dict(zip(KEYS, make(theirs, list(KEYS.values())), strict=True))
    names: dict[str, Any] = {}
    exec(MOVED, names)
    exec(LITELLM, names)
    move: Move = names["move"]
    async with APIKeys(f"sqlite:///{tmp_path}/keys.db", foreign_secrets=True) as keys:
        empty = await seen(keys)
        with pytest.raises(KeyError, match="info_routes"):  # named nowhere
            await move(theirs, keys)
        assert await seen(keys) == empty
        names["ROUTES"]["info_routes"] = ["OBJECTS_LIST"]
        assert len(await move(theirs, keys)) == len(KEYS) - 1
        await check_moved(keys, secrets)
        before = await seen(keys)
        assert await move(theirs, keys) == []
        assert await seen(keys) == before, "a second run changes nothing"
        await check_that_a_later_run_brings_nothing_back(keys, secrets, lambda: move(theirs, keys))
        (since,) = make(theirs, [{"key_alias": "since"}])
        assert [key.description for key in await move(theirs, keys)] == ["since"]
        assert (await keys.verify(since)).valid


async def check_moved(keys: APIKeys, secrets: Mapping[str, str]) -> None:
    """What a secret opens, and what is known of its key."""
    verdicts = {name: await keys.verify(secret) for name, secret in secrets.items()}
    assert {name: verdict.outcome.value for name, verdict in verdicts.items()} == {
        "nightly": "valid",
        "plain": "valid",
        "of the team": "valid",
        "of a budget": "valid",
        "of other routes": "valid",
        "blocked": "key_deactivated",
        "of a blocked team": "key_deactivated",
        "spent": "key_deactivated",
        "expired": "key_invalid",
    }
    stored = {name: await keys.get(verdict.key.id) for name, verdict in verdicts.items() if verdict.key is not None}
    nightly, plain = stored["nightly"], stored["plain"]
    assert (nightly.description, nightly.owner, nightly.project) == ("nightly", "ann", "acme")
    assert nightly.permissions == {"OBJECTS_LIST"}
    assert nightly.resources == ("model:gpt-5", "model:openai/gpt-4o"), "the team may not use claude-5"
    assert list(nightly.limits) == [Rate(7, per=60), Slots(2)]
    assert nightly.expires_at is not None
    assert (nightly.expires_at - nightly.created_at).total_seconds() / 86_400 == pytest.approx(3, abs=0.1)
    assert {**nightly.metadata, "litellm": ""} == {"tags": ["batch"], "litellm": ""}, "credentials stay behind"
    assert nightly.hint == f"sk-...{secrets['nightly'][-4:]}"
    assert plain.permissions == {"OBJECTS_LIST", "FILE_UPLOAD"}
    assert (plain.owner, plain.project, plain.resources, plain.limits, plain.expires_at) == (None, None, None, (), None)
    assert stored["of the team"].resources == ("model:gpt-5", "model:openai/*")
    assert list(stored["of a budget"].limits) == [Rate(3, per=60)]


async def check_that_a_later_run_brings_nothing_back(
    keys: APIKeys, secrets: Mapping[str, str], move: Callable[[], Awaitable[Sequence[APIKey]]]
) -> None:
    """Of a key that was rotated here, one that was deleted, one whose metadata were taken away."""
    ids = {name: key.id for name in KEYS if (key := (await keys.verify(secrets[name])).key) is not None}
    await keys.rotate(ids["nightly"], grace=0)
    await keys.delete(ids["of the team"])
    await keys.update(ids["plain"], metadata={})
    assert await move() == []
    names = ("nightly", "of the team", "plain")
    assert [(await keys.verify(secrets[name])).valid for name in names] == [False, False, True]
