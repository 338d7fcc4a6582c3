"""`POST /revoke`: whoever has a secret may end it, and learns nothing."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, Issued, Outcome, UnavailableError
from gatepost.leaks import GitLab, Leaks, Revoke
from tests.leaks.conftest import ADDRESS, Caller

BASE = "http://app"
INVENTED = "gp_" + "a" * 12 + "_" + "b" * 49


async def test_a_secret_ends_by_itself_and_known_and_unknown_get_the_same_answer(
    keys: APIKeys, calling: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    issued, gone, off = [await keys.create(text) for text in ("a key", "gone", "off")]
    await keys.delete(gone.key.id)
    await keys.deactivate(off.key.id)
    answers = []
    with caplog.at_level(logging.DEBUG):
        async with calling() as client:
            for secret in (issued.secret, issued.secret, INVENTED, gone.secret, off.secret, "", "x" * 2000):
                answer = await client.post("/revoke", json={"secrets": [secret]})
                answers.append((answer.status_code, sorted(answer.headers.items()), answer.content))
    assert answers == [answers[0]] * 7
    assert answers[0][0] == 202
    assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED
    (leaked,) = (await keys.events(issued.key.id, kind="leaked")).items
    assert (leaked.address, leaked.actor) == (ADDRESS, "Revoked by its secret")
    assert not any(secret in caplog.text for secret in (issued.secret, gone.secret, off.secret, INVENTED))


async def test_invented_secrets_cost_no_io(keys: APIKeys, calling: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(type(keys._database), "change", fail)
    async with calling() as client:
        assert (await client.post("/revoke", json={"secrets": [INVENTED] * 100})).status_code == 202


async def test_one_address_may_call_so_often_and_others_go_on(keys: APIKeys, calling: Caller) -> None:
    issued = await keys.create("a key")
    app = Leaks(keys, revoke=Revoke(calls=3))
    async with calling(app=app, address="2001:db8::1") as client:
        assert [(await client.post("/revoke", json={"secrets": [INVENTED]})).status_code for _ in range(3)] == [202] * 3
    async with calling(app=app, address="2001:db8::ffff") as client:  # the same line
        late = await client.post("/revoke", json={"secrets": [issued.secret]})
        assert late.status_code == 429
        assert 1 <= int(late.headers["retry-after"]) <= 1200
    assert (await keys.verify(issued.secret)).valid
    async with calling(app=app, address="2001:db8:0:1::1") as client:
        assert (await client.post("/revoke", json={"secrets": [issued.secret]})).status_code == 202
    assert not (await keys.verify(issued.secret)).valid


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"secrets": []}',
        b'{"secrets": [1]}',
        b'{"secrets": ["a"], "url": "b"}',
        json.dumps({"secrets": ["a"] * 101}).encode(),
        b"\xff",
    ],
)
async def test_a_body_that_names_no_secrets_is_refused_and_changes_nothing(
    keys: APIKeys, calling: Caller, body: bytes
) -> None:
    before = (await keys.status()).database.seq
    async with calling() as client:
        answer = await client.post("/revoke", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (await keys.status()).database.seq == before


async def test_bodies_that_are_long_or_slow_are_refused(calling: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.intake.body.BODY_SECONDS", 0.2)

    async def drops() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(3600)

    async with calling() as client:
        long = await client.post("/revoke", content=b" " * 70_000)
        assert long.status_code == 413
        assert (await client.post("/revoke", content=drops())).status_code == 408
        assert (await client.get("/revoke")).status_code == 405
        assert (await client.post("/github")).status_code == 404
        assert (await client.post("/gitlab/v1/revoke_tokens")).status_code == 404


async def test_an_outage_is_told_and_the_same_may_be_said_again(
    keys: APIKeys, calling: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = await keys.create("a key")

    async def fail(*_arguments: object) -> None:
        raise UnavailableError("down")

    async with calling() as client:
        with monkeypatch.context() as broken:
            broken.setattr(type(keys._database), "change", fail)
            answer = await client.post("/revoke", json={"secrets": [issued.secret]})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert (await client.post("/revoke", json={"secrets": [issued.secret]})).status_code == 202
    assert not (await keys.verify(issued.secret)).valid


async def test_a_new_secret_is_brought_to_whom_it_belongs_and_never_to_who_reports(
    keys: APIKeys, calling: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    issued = await keys.create("a key")
    brought: list[Issued] = []

    async def deliver(new: Issued) -> None:
        brought.append(new)
        raise ValueError(new.secret)

    with caplog.at_level(logging.DEBUG):
        async with calling(revoke=Revoke(response="rotate"), deliver=deliver) as client:
            answer = await client.post("/revoke", json={"secrets": [issued.secret]})
    assert (answer.status_code, answer.content) == (202, b"")
    (new,) = brought
    assert (await keys.verify(new.secret)).valid
    assert not (await keys.verify(issued.secret)).valid
    assert new.secret not in caplog.text
    assert "could not be delivered" in caplog.text


async def test_it_is_mounted_in_an_app_where_no_key_is_asked_for(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    app = APIKeyMiddleware(
        Starlette(routes=[Mount("/leaks", Leaks(keys))]),
        keys,
        exempt=Leaks.paths("/leaks"),
        trusted_proxies=["10.0.0.0/8"],
    )
    transport = httpx2.ASGITransport(app=app, client=("10.0.0.1", 1))
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client:
        headers = {"x-forwarded-for": "203.0.113.5"}
        answer = await client.post("/leaks/revoke", json={"secrets": [issued.secret]}, headers=headers)
        assert answer.status_code == 202
        assert (await client.post("/other")).status_code == 401
    assert not (await keys.verify(issued.secret)).valid


def test_what_cannot_work_is_refused_when_it_is_made(keys: APIKeys) -> None:
    for wrong in (
        lambda: Leaks(keys, revoke=None),
        lambda: Leaks(keys, revoke=Revoke(response="rotate")),
        lambda: Revoke(response="explode"),  # type: ignore[arg-type]
        lambda: Revoke(calls=0),
        lambda: GitLab(token="short"),
        lambda: Leaks.paths("leaks/"),
        lambda: Leaks(keys, trusted_proxies=["*"]),
    ):
        with pytest.raises(BadInputError):
            wrong()
