"""An export of the audit log: what is in it, what is done to it, and whether the database goes on from it."""

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from gatepost import APIKeys, BadInputError
from gatepost.base.trail import CHAIN_FIELDS
from tests.retention.conftest import ByHand, long_ago, make_old, told
from tests.retention.test_chain import make_past


async def exported(keys: APIKeys, **which: Any) -> list[bytes]:
    """The lines."""
    return [line async for line in keys.audit_log.export(**which)]


def seqs(lines: Sequence[bytes]) -> list[int]:
    """The changes that they are of."""
    return list(dict.fromkeys(orjson.loads(line)["seq"] for line in lines))


async def test_the_export_has_every_line_once_and_no_digest_and_verifies(keys: APIKeys, by_hand: ByHand) -> None:
    key_id = await make_past(keys)
    await by_hand("UPDATE gatepost_keys SET description = 'by hand' WHERE id = :id", id=key_id)
    lines = await exported(keys)
    assert all(line.endswith(b"\n") for line in lines)
    assert seqs(lines) == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    told_of = [orjson.loads(line) for line in lines]
    assert [(line["seq"], line["n"]) for line in told_of][-3:] == [(7, 1), (8, 0), (8, 1)]
    assert told_of[-1]["kind"] == "sql"
    assert [line["before"] for line in told_of if line["seq"] == 5] == [
        line["hash"] for line in told_of if line["seq"] == 4
    ]
    async with keys._database._reading("") as connection:
        digests = list(await connection.exec_driver_sql("SELECT digest FROM gatepost_secrets"))
    text = b"".join(lines).decode()
    assert not [digest for (digest,) in digests if bytes(digest).hex()[:8] in text]
    check = await keys.audit_log.verify_export(lines)
    assert (check.is_whole, check.first, check.last, check.changes, check.continues) == (True, 0, 8, 9, True)
    assert check.lines == len(lines)


async def test_a_part_is_whole_changes_without_a_gap(keys: APIKeys) -> None:
    await make_past(keys)
    await keys.invalidate()
    after = (await keys.create("later")).key.created_at
    await keys.audit_log.seal()
    every = seqs(await exported(keys))
    far = every[-2]
    for which, expected in (
        ({"first": 3, "last": 5}, [3, 4, 5]),
        ({"last": 0}, [0]),
        ({"first": 7}, [7, far, far + 1]),
        ({"first": 8}, [far, far + 1]),
        ({"first": far + 1}, [far + 1]),
        ({"first": far + 2}, []),
        ({"since": after - timedelta(minutes=30)}, every),
        ({"until": after - timedelta(minutes=30)}, []),
        ({"since": after + timedelta(minutes=30)}, []),
        ({"until": after + timedelta(minutes=30)}, every),
    ):
        lines = await exported(keys, **which)
        assert seqs(lines) == expected, which
        if lines:
            check = await keys.audit_log.verify_export(lines)
            assert told(check) == []


def _without(*places: int) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda lines: [line for line in lines if line["seq"] not in places]


def _with(of_seq: int, /, **values: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda lines: [line | (values if line["seq"] == of_seq else {}) for line in lines]


def _swapped(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*lines[:4], lines[5], lines[4], *lines[6:]]


TAMPERED: dict[str, tuple[Callable[[list[dict[str, Any]]], list[dict[str, Any]]], list[tuple[str, int, int]]]] = {
    "altered": (_with(4, actor="somebody"), [("altered", 4, 4)]),
    "a name put in": (_with(4, more=1), [("altered", 4, 4)]),
    "two changes taken out": (_without(3, 4), [("missing", 3, 4)]),
    "a line taken out of a change": (
        lambda lines: [line for line in lines if (line["seq"], line["n"]) != (6, 1)],
        [("altered", 6, 6)],
    ),
    "a line twice": (lambda lines: [*lines[:3], lines[2], *lines[3:]], [("altered", 2, 2)]),
    "a pair swapped": (_swapped, [("missing", 4, 4), ("added", 4, 4)]),
    "a change of another number": (_with(7, seq=8), [("missing", 7, 7), ("altered", 8, 8), ("elsewhere", 8, 8)]),
    "the hash before altered": (_with(4, before="00" * 32), [("altered", 4, 4), ("altered", 4, 4)]),
    "the beginning taken out": (_without(0, 1), []),
    "the end taken out": (_without(6, 7), []),
    "the end of a change taken out": (lambda lines: lines[:-1], [("altered", 7, 7)]),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_what_was_done_to_the_file_is_told(sqlite_keys: APIKeys, what: str) -> None:
    await make_past(sqlite_keys)
    change, flaws = TAMPERED[what]
    lines = change([orjson.loads(line) for line in await exported(sqlite_keys)])
    check = await sqlite_keys.audit_log.verify_export(map(orjson.dumps, lines))
    assert told(check) == flaws


async def test_a_database_that_was_cut_off_at_its_end_is_told_by_an_export_that_went_further(
    keys: APIKeys, by_hand: ByHand
) -> None:
    await make_past(keys)
    lines = await exported(keys)
    await by_hand(
        "DELETE FROM gatepost_events WHERE seq > 5",
        "DELETE FROM gatepost_chain WHERE seq > 5",
        "UPDATE gatepost_counter SET seq = 5, nonce = (SELECT nonce FROM gatepost_events WHERE seq = 5 AND n = 0)",
    )
    alone = await keys.audit_log.verify()
    assert (alone.is_whole, alone.last) == (True, 5), "from within nobody can tell"
    check = await keys.audit_log.verify_export(lines)
    assert told(check) == [("elsewhere", 7, 7)]
    assert (check.is_whole, check.continues) == (False, False)
    for _ in range(3):
        await keys.create("in their place")
    await keys.audit_log.seal()
    assert told(await keys.audit_log.verify()) == []
    assert told(await keys.audit_log.verify_export(lines)) == [("elsewhere", 7, 7)]


async def test_a_file_that_was_restored_verifies_and_an_export_from_after_the_backup_tells_of_it(
    ready_sqlite_url: str,
) -> None:
    file = ready_sqlite_url.partition(":///")[2]
    async with APIKeys(ready_sqlite_url, usage=False) as keys:
        await make_past(keys)
    shutil.copy(file, f"{file}.backup")
    async with APIKeys(ready_sqlite_url, usage=False) as keys:
        before = await exported(keys)
        await keys.create("lost")
        after = await exported(keys)
    shutil.copy(f"{file}.backup", file)
    async with APIKeys(ready_sqlite_url, usage=False) as keys:
        await keys.invalidate()
        await keys.create("later")
        await keys.audit_log.seal()
        assert told(await keys.audit_log.verify()) == []
        assert told(await keys.audit_log.verify_export(before)) == []
        assert told(await keys.audit_log.verify_export(after)) == [("elsewhere", 8, 8)]


async def test_an_export_verifies_after_what_it_holds_was_pruned(keys: APIKeys) -> None:
    await make_past(keys)
    part, whole = await exported(keys, last=4), await exported(keys)
    now = datetime.now(UTC) + timedelta(days=1)
    await keys._database.chain.prune(keys._opened().sealing.links, now)
    assert (await keys.audit_log.verify_export(part)).continues is None, "that cannot be told any more"
    assert (await keys.audit_log.verify_export(whole)).continues is True
    at_the_anchor = [line for line in whole if orjson.loads(line)["seq"] < 7]
    assert (await keys.audit_log.verify_export(at_the_anchor)).continues is True
    assert seqs(await exported(keys)) == [7]
    assert told(await keys.audit_log.verify_export(await exported(keys))) == []


async def test_an_unsealed_log_is_sealed_before_it_is_exported(sqlite_keys: APIKeys) -> None:
    await sqlite_keys.create("x")
    await make_old(sqlite_keys)
    assert seqs(await exported(sqlite_keys, until=long_ago())) == [0, 1]


@pytest.mark.parametrize(
    "line",
    ["", "{}", "[]", "null", '{"seq": 1}', "no JSON", *(f"without {name}" for name in (*CHAIN_FIELDS, "seq", "kind"))],
)
async def test_a_line_that_is_none_of_an_export_is_refused_with_its_number(sqlite_keys: APIKeys, line: str) -> None:
    await sqlite_keys.create("x")
    good = await exported(sqlite_keys)
    if line.startswith("without "):
        wrong = orjson.loads(good[0])
        del wrong[line.removeprefix("without ")]
        line = orjson.dumps(wrong).decode()
    with pytest.raises(BadInputError, match=r"line 3 is none that 'gatepost audit log' has exported"):
        await sqlite_keys.audit_log.verify_export([*good, line])
    with pytest.raises(BadInputError, match="no lines"):
        await sqlite_keys.audit_log.verify_export([])
