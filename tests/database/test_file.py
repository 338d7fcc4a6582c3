"""SQLite's file: nobody else can read it, and a worker notices that another has taken its place."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import APIKeys, Outcome, UnavailableError
from gatepost.database.connecting.file import _path_to_make
from gatepost.database.transaction import Transaction
from tests.deaf import deafen

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and inodes")


def modes(folder: Path) -> dict[str, str]:
    """The mode of each file in `folder`."""
    return {each.name: oct(stat.S_IMODE(each.stat().st_mode)) for each in folder.iterdir()}


@pytest.fixture
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_open_umask")
@pytest.mark.parametrize("form", ["{}/keys.db", "file:{}/keys.db?uri=true", "file:{}/keys.db?mode=rwc&uri=true"])
async def test_a_file_that_gatepost_makes_can_be_read_by_its_owner_alone(tmp_path: Path, form: str) -> None:
    async with APIKeys("sqlite:///" + form.format(tmp_path)) as keys:
        await keys.create("a key")
        found = modes(tmp_path)
    assert found == {"keys.db": "0o600", "keys.db-wal": "0o600", "keys.db-shm": "0o600"}


@pytest.mark.usefixtures("_open_umask")
async def test_it_is_private_before_anything_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    connect = sqlite3.connect

    def look(*arguments: Any, **options: Any) -> Any:
        seen.append(modes(tmp_path))
        return connect(*arguments, **options)

    monkeypatch.setattr(sqlite3, "connect", look)
    async with APIKeys(f"sqlite:///{tmp_path}/keys.db"):
        pass
    assert seen[0] == {"keys.db": "0o600"}


async def test_a_file_that_is_there_keeps_its_mode_and_a_status_tells_who_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    path.touch(0o640)
    async with APIKeys(f"sqlite:///{path}") as keys:
        status = await keys.status()
        assert modes(tmp_path)["keys.db"] == "0o640"
        (finding,) = [each for each in status.findings if each.code == "file_open_to_others"]
        assert (finding.severity, status.ready) == ("warning", True)
        assert str(path) in finding.sentence
        path.chmod(0o600)
        assert "file_open_to_others" not in {each.code for each in (await keys.status()).findings}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_database_in_memory_makes_no_file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with APIKeys(url) as keys:
        issued = await keys.create("a key")
        assert (await keys.verify(issued.secret)).valid
    assert modes(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("/a/keys.db", "/a/keys.db"),
        ("file:/a/keys.db", "/a/keys.db"),
        ("file:///a/my%20keys.db?mode=rwc&cache=shared", "/a/my keys.db"),
        ("file:keys.db", "keys.db"),
        ("file:/a/keys.db?mode=ro", None),
        ("file:/a/keys.db?mode=rw", None),
        ("file:x?mode=memory&cache=shared", None),
        ("file::memory:", None),
        ("file:/a/keys.db?vfs=other", None),
        (":memory:", None),
        ("", None),
    ],
)
def test_a_file_is_made_only_where_sqlite_would_make_one(name: str, made: str | None) -> None:
    assert _path_to_make(name) == made


def put_back(backup: Path, path: Path) -> None:
    """Restore a backup by moving it to its place."""
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    backup.replace(path)


def copied(path: Path) -> Path:
    """A backup of the file as it is now."""
    backup = path.with_name("backup.db")
    source, target = sqlite3.connect(path), sqlite3.connect(backup)
    source.backup(target)
    source.close()
    target.close()
    return backup


@pytest.mark.parametrize("given", ["a URL", "a file: URL", "an engine"])
async def test_a_file_that_was_replaced_is_opened_anew_and_nothing_from_before_counts(
    tmp_path: Path, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.db"
    url = f"sqlite:///{path}"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    how: Any = {"a URL": url, "a file: URL": f"sqlite:///file:{path}?uri=true", "an engine": engine}[given]
    async with APIKeys(how, poll_interval=0.1, max_staleness=5.0) as worker:
        await worker.serve()
        issued = await worker.create("a key")
        backup = copied(path)
        lost = await worker.create("made after the backup")
        for each in (issued, lost):
            assert (await worker.verify(each.secret)).valid
        put_back(backup, path)
        async with APIKeys(url) as admin:
            await admin.deactivate(issued.key.id, wait="commit")

        assert (await worker.verify(issued.secret, fresh=True)).outcome is Outcome.DEACTIVATED
        await worker._opened().freshness.poll()
        assert (await worker.verify(issued.secret)).outcome is Outcome.DEACTIVATED
        assert (await worker.verify(lost.secret)).outcome is Outcome.INVALID
        assert caplog.text.count("was replaced while it was open") == 1
        assert "gatepost db invalidate" in caplog.text
        made = await worker.create("in the new file")
        async with APIKeys(url) as admin:
            assert (await admin.get(made.key.id)).description == "in the new file"
    await engine.dispose()


async def test_what_was_read_from_the_old_file_ahead_of_the_poll_is_not_believed_either(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    url = f"sqlite:///{path}"
    async with APIKeys(url, poll_interval=100.0, max_staleness=300.0) as worker:
        deafen(worker)
        issued = await worker.create("a key")
        await worker.serve()
        backup = copied(path)
        async with APIKeys(url) as admin:
            lost = await admin.create("made after the backup")
        assert (await worker.verify(lost.secret)).valid
        put_back(backup, path)
        async with APIKeys(url) as admin:
            await admin.deactivate(issued.key.id, wait="commit")
        await worker._opened().freshness.poll()  # the log goes on where this worker had seen it end
        assert (await worker.verify(lost.secret)).outcome is Outcome.INVALID
        assert (await worker.verify(issued.secret)).outcome is Outcome.DEACTIVATED


@pytest.mark.parametrize("then", ["replaced", "put back"])
async def test_a_change_that_waited_while_the_file_went_away_is_not_told_to_be_made_in_a_file_that_nobody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    path, aside = tmp_path / "keys.db", tmp_path / "aside.db"
    begins = asyncio.Event()
    begin = Transaction.begin

    async def note(transaction: Transaction) -> None:
        begins.set()
        await begin(transaction)

    async with APIKeys(f"sqlite:///{path}", poll_interval=0.1, read_timeout=60.0) as keys:
        issued = await keys.create("a key")
        monkeypatch.setattr(Transaction, "begin", note)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # somebody writes
        ending = asyncio.create_task(keys.deactivate(issued.key.id))
        await begins.wait()
        if then == "replaced":
            put_back(copied(path), path)
            other.execute("ROLLBACK")
            with pytest.raises(UnavailableError, match="nothing was changed"):
                await ending
            assert (await keys.verify(issued.secret, fresh=True)).valid
            assert (await keys.deactivate(issued.key.id)).propagation.complete
        else:
            path.rename(aside)
            other.execute("ROLLBACK")
            await asyncio.sleep(0.1)
            aside.rename(path)
            assert (await ending).propagation.complete
        other.close()
        assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED


async def test_a_file_that_is_gone_is_an_outage_and_no_new_one_is_made(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    async with APIKeys(f"sqlite:///{path}", poll_interval=0.1, max_staleness=0.5) as worker:
        issued = await worker.create("a key")
        assert (await worker.verify(issued.secret)).valid
        aside = path.rename(tmp_path / "aside.db")
        with pytest.raises(UnavailableError, match=r"keys\.db is gone"):
            await worker.verify(issued.secret, fresh=True)
        with pytest.raises(UnavailableError, match=r"keys\.db is gone"):
            await worker.create("another")
        while worker._opened().freshness.holds():  # noqa: ASYNC110 - time passes
            await asyncio.sleep(0.02)
        with pytest.raises(UnavailableError):
            await worker.verify(issued.secret)
        assert not path.exists()
        aside.rename(path)
        assert (await worker.verify(issued.secret, fresh=True)).valid
