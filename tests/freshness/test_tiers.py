"""Lookups over memory, Redis and the database: how many round trips, and what each tier is believed."""

import asyncio
import hashlib
import logging
import re

import orjson
import pytest
from redis.asyncio import Redis

from gatepost import APIKeys, Outcome
from gatepost.base.clock import boot_clock
from gatepost.base.secret import SecretFormat, digest, new_id
from tests.freshness.conftest import MakeWorker, calls_of, counted_statements, settled


async def names_in(redis_url: str) -> list[bytes]:
    """The keys that Redis holds."""
    async with Redis.from_url(redis_url) as client:
        return sorted(bytes_of(name) for name in await client.keys("*"))


def bytes_of(value: bytes | str | None) -> bytes:
    """What redis-py types more widely than a client of bytes answers."""
    assert isinstance(value, bytes)
    return value


async def test_a_thousand_concurrent_requests_with_one_cold_key_cost_one_mget_and_one_select(
    worker: MakeWorker, redis_url: str
) -> None:
    keys = await worker(redis_url)
    issued = await keys.create("cold")
    before = await calls_of(redis_url, "mget", "get")
    with counted_statements(keys) as counts:
        verdicts = await asyncio.gather(*(keys.verify(issued.secret) for _ in range(1000)))
    after = await calls_of(redis_url, "mget", "get")

    assert all(verdict.valid for verdict in verdicts)
    assert counts["records"] == 1
    assert (after["mget"] - before["mget"], after["get"] - before["get"]) == (1, 0)


async def test_many_cold_keys_at_once_share_round_trips_and_none_is_refused(worker: MakeWorker, redis_url: str) -> None:
    keys = await worker(redis_url, foreign_secrets=True)
    issued = [await keys.create(f"key {n}") for n in range(64)]
    secrets = [i.secret for i in issued] + [f"unknown {n}" for n in range(1400)]
    before = await calls_of(redis_url, "mget")
    with counted_statements(keys) as counts:
        verdicts = await asyncio.gather(*(keys.verify(secret) for secret in secrets))

    assert [v.outcome for v in verdicts] == [Outcome.VALID] * 64 + [Outcome.INVALID] * 1400
    assert counts["records"] == 3
    assert (await calls_of(redis_url, "mget"))["mget"] - before["mget"] == 3


async def test_a_memory_hit_asks_nobody(worker: MakeWorker, redis_url: str) -> None:
    keys = await worker(redis_url, poll_interval=2.0)
    issued = await keys.create("hot")
    await keys.verify(issued.secret)
    await settled(keys)
    before = await calls_of(redis_url, "mget", "set")
    with counted_statements(keys) as counts:
        for _ in range(100):
            assert keys.hit(digest(issued.secret.encode())) is not None
            assert (await keys.verify(issued.secret)).valid
    assert not counts
    assert await calls_of(redis_url, "mget", "set") == before


async def test_invented_well_formed_secrets_cost_no_call_to_redis_or_the_database(
    worker: MakeWorker, redis_url: str
) -> None:
    keys = await worker(redis_url, poll_interval=2.0)
    forger = SecretFormat([b"f" * 32])
    before = await calls_of(redis_url, "mget")
    with counted_statements(keys) as counts:
        for _ in range(200):
            assert (await keys.verify(forger.make(new_id()))).outcome is Outcome.INVALID
    assert not counts
    assert await calls_of(redis_url, "mget") == before


async def test_a_second_worker_finds_in_redis_what_the_first_has_read(worker: MakeWorker, redis_url: str) -> None:
    first = await worker(redis_url)
    issued = await first.create("shared", ["FILE_UPLOAD"], project="acme")
    await first.verify(issued.secret)
    await settled(first)
    second = await worker(redis_url)
    with counted_statements(second) as counts:
        verdict = await second.verify(issued.secret)
    assert verdict.valid
    assert counts["records"] == 0
    assert verdict.key == (await first.verify(issued.secret)).key or verdict.key is not None
    assert verdict.key is not None
    assert (verdict.key.permissions, verdict.key.project) == ({"FILE_UPLOAD"}, "acme")


async def test_without_a_memory_tier_redis_answers(worker: MakeWorker, redis_url: str) -> None:
    keys = await worker(redis_url, memory_entries=0)
    issued = await keys.create("no memory")
    await keys.verify(issued.secret)
    await settled(keys)
    with counted_statements(keys) as counts:
        assert (await keys.verify(issued.secret)).valid
        assert keys.hit(digest(issued.secret.encode())) is None
    assert counts["records"] == 0


async def test_an_unknown_secret_is_remembered_only_briefly(worker: MakeWorker, redis_url: str) -> None:
    keys = await worker(redis_url, foreign_secrets=True, absent_ttl=100, max_staleness=300.0)
    lookup = keys._opened().lookup
    with counted_statements(keys) as counts:
        for _ in range(3):
            assert (await keys.verify("unknown")).outcome is Outcome.INVALID
        assert counts["records"] == 1
        await settled(keys)
        async with Redis.from_url(redis_url) as client:
            for name in await client.keys():
                assert (
                    0 < await client.pttl(name) <= 110_000
                )  # a tenth more or less, so that they do not all end together
                await client.delete(name)
        lookup._clock = lambda: boot_clock() + 50
        assert (await keys.verify("unknown")).outcome is Outcome.INVALID
        assert counts["records"] == 1
        lookup._clock = lambda: boot_clock() + 150
        assert (await keys.verify("unknown")).outcome is Outcome.INVALID
        assert counts["records"] == 2


async def test_a_key_made_for_a_secret_remembered_as_unknown_works_at_once(worker: MakeWorker, redis_url: str) -> None:
    from gatepost import ImportedKey  # noqa: PLC0415

    keys = await worker(redis_url, foreign_secrets=True, absent_ttl=60)
    assert (await keys.verify("soon")).outcome is Outcome.INVALID
    await settled(keys)
    await keys.import_digests([ImportedKey(digest=hashlib.sha256(b"soon").digest(), description="now")])
    assert (await keys.verify("soon")).valid


async def test_a_value_in_redis_expires_and_times_vary(worker: MakeWorker, redis_url: str) -> None:
    keys = await worker(redis_url, redis_ttl=100)
    for n in range(20):
        await keys.verify((await keys.create(f"key {n}")).secret)
    await settled(keys)
    async with Redis.from_url(redis_url) as client:
        lives = [await client.pttl(name) for name in await names_in(redis_url)]
    assert len(lives) == 20
    assert all(85_000 < life <= 110_000 for life in lives)
    assert max(lives) - min(lives) > 1000


async def test_no_secret_and_no_digest_in_the_clear_of_another_key_reaches_redis(
    worker: MakeWorker, redis_url: str
) -> None:
    keys = await worker(redis_url, redis_timeout=5.0)  # on a busy machine, too
    issued = await keys.create("a key")
    await keys.verify(issued.secret)
    await settled(keys)
    async with Redis.from_url(redis_url) as client:
        (name,) = await names_in(redis_url)
        value = bytes_of(await client.get(name))
    assert issued.secret.encode() not in name + value
    assert issued.secret.rpartition("_")[2].encode() not in name + value


@pytest.mark.parametrize("tamper", ["payload", "seal", "other key's value", "rubbish", "empty"])
async def test_who_can_write_to_redis_cannot_mint_permissions(
    worker: MakeWorker, redis_url: str, tamper: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = await worker(redis_url)
    weak = await first.create("weak", ["OBJECTS_LIST"])
    strong = await first.create("strong", ["ACCESS_MANAGE"])
    names = {}
    for issued in (weak, strong):
        before = set(await names_in(redis_url))
        await first.verify(issued.secret)
        await settled(first)
        (names[issued.secret],) = set(await names_in(redis_url)) - before
    async with Redis.from_url(redis_url) as client:
        value = bytes_of(await client.get(names[weak.secret]))
        other = bytes_of(await client.get(names[strong.secret]))
        forged = {
            "payload": value[:16] + value[16:].replace(b"OBJECTS_LIST", b"ACCESS_MANAGE"),
            "seal": bytes(16) + value[16:],
            "other key's value": other,
            "rubbish": b"\xff" * 40,
            "empty": b"",
        }[tamper]
        await client.set(names[weak.secret], forged)
    second = await worker(redis_url)
    with caplog.at_level(logging.WARNING), counted_statements(second) as counts:
        verdict = await second.verify(weak.secret)
    assert verdict.key is not None
    assert verdict.key.permissions == {"OBJECTS_LIST"}
    assert counts["records"] == 1
    assert "wrong seal" in caplog.text
    assert weak.secret not in caplog.text


async def test_a_value_in_redis_of_before_the_last_change_is_not_believed_by_anyone(
    worker: MakeWorker, redis_url: str
) -> None:
    first = await worker(redis_url)
    issued = await first.create("a key")
    await first.verify(issued.secret)
    await settled(first)
    async with Redis.from_url(redis_url) as client:
        (name,) = await client.keys("*")
        old = await client.get(name)
        assert old is not None
        await first.deactivate(issued.key.id, wait="commit")
        await settled(first)
        await client.set(name, old)  # a failover to a copy from before the change

        restarted = await worker(redis_url)
        for keys in (first, restarted):
            keys._opened().freshness._memory.clear()
            assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED
            await settled(keys)
            await client.set(name, old)


async def test_a_restarted_worker_still_believes_redis_about_keys_that_did_not_change(
    worker: MakeWorker, redis_url: str
) -> None:
    first = await worker(redis_url)
    steady = await first.create("steady")
    other = await first.create("other")
    await first.verify(steady.secret)
    await settled(first)
    await first.deactivate(other.key.id, wait="commit")
    restarted = await worker(redis_url)
    with counted_statements(restarted) as counts:
        assert (await restarted.verify(steady.secret)).valid
    assert counts["records"] == 0


async def test_redis_holds_the_payload_as_plain_json_after_the_seal(worker: MakeWorker, redis_url: str) -> None:
    keys = await worker(redis_url)
    issued = await keys.create("a key", ["FILE_UPLOAD"])
    await keys.verify(issued.secret)
    await settled(keys)
    async with Redis.from_url(redis_url) as client:
        (name,) = await names_in(redis_url)
        value = bytes_of(await client.get(name))
        as_of, key_id, *_ = orjson.loads(value[16:])
    assert (as_of, key_id) == (1, issued.key.id)


async def test_a_name_in_redis_tells_whose_it_is_and_is_short(worker: MakeWorker, redis_url: str) -> None:
    keys = await worker(redis_url)
    issued = await keys.create("a key")
    await keys.verify(issued.secret)
    await settled(keys)
    (name,) = await names_in(redis_url)
    assert re.fullmatch(rb"gatepost:[\w-]{4}:", name[:14])
    assert name[14:] == hashlib.sha256(issued.secret.encode()).digest()[:16]


async def test_a_cancelled_request_does_not_take_others_with_it(worker: MakeWorker, redis_url: str) -> None:
    keys: APIKeys = await worker(redis_url)
    issued = await keys.create("a key")
    tasks = [asyncio.create_task(keys.verify(issued.secret)) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(answer, asyncio.CancelledError) for answer in done] == [True, False] * 5
    assert all(answer.valid for answer in done[1::2] if not isinstance(answer, BaseException))
