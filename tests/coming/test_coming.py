"""Keys in the databases of others that can be installed here, and in a plain table, moved by the code of the pages."""

import ast
import hashlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import httpx2
import pytest
from benchmarks.rivals.rival import VARIABLE
from keygate import KeyGate
from keyshield import ApiKeyService
from keyshield.hasher.argon2 import Argon2ApiKeyHasher
from keyshield.repositories.sql import SqlAlchemyApiKeyRepository
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool

from gatepost import APIKeyMiddleware, APIKeys
from tests.readme import ROOT, blocks

ORIGIN = "http://app"

MOVED, KEYGATE, _, DRF, KEYSHIELD = blocks("docs/coming.md")

IMPORT, MOVER = blocks("docs/moving.md")
MOVER = MOVER.partition("\n\n\napp = ")[0]


def mover_of(section: str) -> str:
    """How the page says that a section's keys are moved: `MoveOnFirstUse(...)`."""
    text = (ROOT / "docs/coming.md").read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (found,) = re.findall(r"`(MoveOnFirstUse\(.+?\))`", text)
    return str(found)


PEPPER = "of the tests"

MOVING = """
import asyncio, json
from datetime import UTC, datetime
import httpx2
from benchmarks.rivals import drf_api_key
made = drf_api_key.make_keys()
from rest_framework_api_key.models import APIKey as Theirs
soon, past = (datetime(2100, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))
_, made["bounded"] = Theirs.objects.create_key(name="bounded", expiry_date=soon)
_, made["expired"] = Theirs.objects.create_key(name="expired", expiry_date=past)
from gatepost import APIKeyMiddleware, APIKeys

ORIGIN = "http://app"
names = dict(globals())
for block in blocks:
    exec(block, names)

asked = []
async def check(secret):
    asked.append(secret)
    return await names["check"](secret)

async def answer(scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["api_key"].description.encode()})

async def main():
    async with APIKeys(f"sqlite:///{folder}/keys.db", foreign_secrets=True) as keys:
        made["ours"] = (await keys.create("ours")).secret
        made["formless"] = "AbCdEfGh" + "." + "x" * 31
        app = eval(mover, names | {"app": APIKeyMiddleware(answer, keys), "keys": keys, "check": check})
        told = {}
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN) as http:
            for name, secret in made.items():
                for _ in range(2):
                    response = await http.get("/", headers={"X-API-Key": secret})
                told[name] = response.text if response.status_code == 200 else response.json()["code"]
        ends = {key.description: str(key.expires_at) for key in (await keys.list()).items}
        times = {name: asked.count(secret) for name, secret in made.items()}
        print(json.dumps([told, ends, times, await names["check"](made["usable"])]))
asyncio.run(main())
"""


async def test_keys_of_a_table_with_sha_256_work_here_as_they_did_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    secrets = [f"acme_{token_urlsafe(24)}" for _ in range(3)]
    with closing(sqlite3.connect("theirs.db")) as theirs:
        theirs.row_factory = sqlite3.Row
        theirs.execute("CREATE TABLE tokens (sha256 TEXT PRIMARY KEY, name TEXT, tenant TEXT, prefix TEXT)")
        digests = [(hashlib.sha256(secret.encode()).hexdigest(), secret[:8]) for secret in secrets[:2]]
        theirs.executemany("INSERT INTO tokens VALUES (?, 'nightly', 'acme', ?)", digests)
        names: dict[str, Any] = {"old_rows": theirs.execute("SELECT * FROM tokens").fetchall()}
    await eval(compile(IMPORT, "docs/moving.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    async with names["keys"] as keys:
        verdicts = [await keys.verify(secret) for secret in secrets]
        assert [verdict.valid for verdict in verdicts] == [True, True, False]
        stored = await keys.get(verdicts[0].key.id)
        assert (stored.description, stored.project, stored.hint) == ("nightly", "acme", secrets[0][:8] + "...")
        assert stored.permissions == {"FILE_UPLOAD"}


async def test_keys_of_fastapi_keygate_work_here_as_they_did_there(tmp_path: Path) -> None:
    theirs = f"sqlite:///{tmp_path}/keygate.db"
    gate = KeyGate(db_url=theirs)
    later = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(days=3)
    good = gate.create_key("ann", name="nightly", scopes=["read", "write"], per_minute=7, expires_at=later)
    plain = gate.create_key("bob")
    revoked = gate.create_key("bob", name="revoked")
    gate.revoke(revoked.id)
    names: dict[str, Any] = {}
    exec(MOVED, names)
    exec(KEYGATE, names)
    async with APIKeys(f"sqlite:///{tmp_path}/keys.db", foreign_secrets=True) as keys:
        made = await names["move"](theirs, keys)
        assert len(made) == 2
        key = (await keys.verify(good.key)).key
        assert key is not None
        stored = await keys.get(key.id)
        assert (stored.description, stored.owner) == ("nightly", "ann")
        assert stored.permissions == {"OBJECTS_LIST", "FILE_UPLOAD"}
        assert [(limit.units, limit.per) for limit in stored.limits] == [(7, 60)]  # type: ignore[union-attr]
        assert stored.expires_at == later.replace(tzinfo=UTC)
        assert (await keys.verify(plain.key)).valid
        assert not (await keys.verify(revoked.key)).valid
        await keys.rotate(key.id, grace=0)
        since = gate.create_key("eve")
        assert [key.owner for key in await names["move"](theirs, keys)] == ["eve"], "a second run brings what is new"
        assert (await keys.verify(since.key)).valid
        assert not (await keys.verify(good.key)).valid, "what was rotated here does not come back"


def test_keys_of_djangorestframework_api_key_are_moved_at_their_first_use(tmp_path: Path) -> None:
    chosen = {"database": str(tmp_path / "django.sqlite3")}
    given = ([MOVER, DRF], str(tmp_path), mover_of("djangorestframework-api-key"))
    code = f"blocks, folder, mover = {given!r}\n{MOVING}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "", VARIABLE: json.dumps(chosen)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, ends, times, again = json.loads(done.stdout.splitlines()[-1])
    assert told == {
        "usable": "usable",
        "unknown": "key_invalid",
        "invented": "key_invalid",
        "deactivated": "key_invalid",
        "bounded": "bounded",
        "expired": "key_invalid",
        "ours": "ours",
        "formless": "key_invalid",
    }
    assert ends == {"ours": "None", "usable": "None", "bounded": "2100-01-01 00:00:00+00:00"}, (
        "moved once, with the end they had"
    )
    assert again is None
    assert (times["usable"], times["unknown"], times["ours"], times["formless"]) == (1, 2, 0, 0)


Service = Callable[[], AbstractAsyncContextManager[ApiKeyService]]


@pytest.fixture
async def keyshield(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """`async with keyshield() as service`: its own, in a transaction of its database, which the page's code finds."""
    theirs = f"sqlite+aiosqlite:///{tmp_path}/keyshield.db"
    monkeypatch.setenv("KEYSHIELD_PEPPER", PEPPER)
    monkeypatch.setenv("KEYSHIELD_DATABASE_URL", theirs)
    engine = create_async_engine(theirs, poolclass=NullPool)
    sessions = async_sessionmaker(engine)
    hasher = Argon2ApiKeyHasher(pepper=PEPPER)

    @asynccontextmanager
    async def opened() -> AsyncIterator[ApiKeyService]:
        async with sessions.begin() as session:
            repository = SqlAlchemyApiKeyRepository(session)
            yield ApiKeyService(repository, hasher, min_delay=0, max_delay=0)

    async with sessions() as session:
        await SqlAlchemyApiKeyRepository(session).ensure_table(async_engine=engine)
    return opened


async def test_keys_of_keyshield_are_moved_at_their_first_use(keyshield: Service, tmp_path: Path) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    scopes = ["objects:list", "files:write"]
    async with keyshield() as service:
        _, nightly = await service.create(name="nightly", scopes=scopes, expires_at=later)
        _, unused = await service.create(name="unused")
        _, unnamed = await service.create(description="by hand", scopes=["all"])
        _, disabled = await service.create(name="disabled", is_active=False)
        ended, expired = await service.create(name="expired", expires_at=later)
        ended.expires_at = later - timedelta(days=9)
        await service.update(ended)
    names: dict[str, Any] = {}
    exec(MOVER, names)
    exec(KEYSHIELD, names)
    engine = names["open_session"].kw["bind"]

    async def answer(scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["api_key"].description.encode()})

    async with APIKeys(f"sqlite:///{tmp_path}/keys.db", foreign_secrets=True) as keys:
        inner = APIKeyMiddleware(answer, keys)
        app = eval(mover_of("keyshield"), names | {"app": inner, "keys": keys})
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN) as http:

            async def told(secret: str) -> tuple[int, str]:
                response = await http.get("/", headers={"Authorization": f"Bearer {secret}"})
                return response.status_code, response.text if response.status_code == 200 else ""

            assert await told(nightly) == (200, "nightly")
            assert await told(nightly) == (200, "nightly")
            for secret in (disabled, expired, nightly[:-1] + "!", "ak_v1-1-1", "ak_v1-"):
                assert await told(secret) == (401, "")
            (moved,) = (await keys.list()).items
            assert moved.permissions == {"OBJECTS_LIST", "FILE_UPLOAD"}
            assert moved.expires_at == later
            async with keyshield() as service:
                rows = {row.name: row for row in await service.list()}
            assert {name for name, row in rows.items() if row.is_active} == {"unused", None, "expired"}
            assert moved.metadata == {"keyshield": rows["nightly"].id_}
            with pytest.raises(KeyError, match="all"):
                await told(unnamed)
            names["SCOPES"]["all"] = "OBJECTS_LIST"
            assert await told(unnamed) == (200, "by hand"), "named, it can come again"
            await keys.delete(moved.id)
            assert await told(nightly) == (401, ""), "deleted does not come back"
            assert (await keys.count()).number == 1
            assert not (await keys.verify(unused)).valid, "who has not come yet is not here"
    await engine.dispose()
