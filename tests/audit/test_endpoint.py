"""Who is told what by a worker's audit endpoint."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from gatepost import APIKeys, AuditEndpoint, BadInputError
from gatepost.audit.asking import Asking, UnansweredError
from gatepost.probes.audit_endpoint import TOKEN_HEADER
from tests.audit.serving import TOKEN

BODY: dict[str, Any] = {"digests": []}


@pytest.fixture
async def keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    async with APIKeys(ready_sqlite_url) as keys:
        yield keys


@pytest.fixture
async def client(keys: APIKeys) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(AuditEndpoint(keys, token=TOKEN))
    async with httpx2.AsyncClient(transport=transport, base_url="http://worker") as client:
        yield client


@pytest.mark.parametrize("token", ["", "x" * 31, "é" * 32, "x" * 32 + "\n"])
def test_a_token_that_is_short_or_odd_is_an_error_that_does_not_show_it(token: str, keys: APIKeys) -> None:
    with pytest.raises(BadInputError, match="openssl rand -hex 32") as wrong:
        AuditEndpoint(keys, token=token)
    assert not token or token not in str(wrong.value)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {TOKEN_HEADER: ""},
        {TOKEN_HEADER: TOKEN[:-1]},
        {TOKEN_HEADER: TOKEN + "x"},
        {TOKEN_HEADER: TOKEN.upper()},
        {"Authorization": f"Bearer {TOKEN}"},
        [(TOKEN_HEADER, TOKEN), (TOKEN_HEADER, TOKEN)],
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_whoever_has_not_the_token_is_told_nothing(client: httpx2.AsyncClient, method: str, headers: Any) -> None:
    answer = await client.request(method, "/", headers=headers, json=BODY)
    assert (answer.status_code, answer.content) == (401, b"")


async def test_the_answer_is_what_a_request_would_get(client: httpx2.AsyncClient, keys: APIKeys) -> None:
    issued, off = await keys.create("x"), await keys.create("y")
    await keys.deactivate(off.key.id)
    digests = [hashlib.sha256(secret.encode()).hexdigest() for secret in (issued.secret, off.secret, "nobody's")]
    answer = await client.post("/", json={"digests": digests}, headers={TOKEN_HEADER: TOKEN})
    said = answer.json()
    assert [said["answers"][digest]["outcome"] for digest in digests] == ["valid", "key_deactivated", "key_invalid"]
    assert said["applied_seq"] == said["answers"][digests[0]]["as_of"] == 3
    assert keys.worker is not None
    assert said["worker"]["id"] == keys.worker.id
    assert 0 < said["lease_seconds"] <= said["max_staleness"] == 10.0
    assert issued.secret not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"digests": "ab"}',
        b'{"digests": ["ab"]}',
        b'{"digests": [1]}',
        b'{"digests": [null]}',
        b'{"digests": [' + b",".join([b'"' + b"0" * 64 + b'"'] * 501) + b"]}",
        b" " * 70_000,
    ],
)
async def test_any_other_body_is_refused(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post("/", content=body, headers={TOKEN_HEADER: TOKEN})
    assert answer.status_code == 400


async def test_keys_that_cannot_be_opened_are_no_answer() -> None:
    transport = httpx2.ASGITransport(AuditEndpoint(APIKeys("postgresql://127.0.0.1:1/x"), token=TOKEN))
    async with httpx2.AsyncClient(transport=transport, base_url="http://worker") as client:
        answer = await client.post("/", json=BODY, headers={TOKEN_HEADER: TOKEN})
    assert (answer.status_code, answer.json()) == (503, {"error": "unavailable"})


@pytest.mark.parametrize(
    "url", ["", "worker", "ftp://worker/", "http://", "http://u:p@worker/", "http://worker/?token=x"]
)
def test_an_address_that_cannot_be_asked_is_an_error(url: str) -> None:
    with pytest.raises(BadInputError, match="--worker"):
        Asking(url, TOKEN)


async def test_an_address_where_nobody_answers_is_unanswered() -> None:
    async with Asking("http://127.0.0.1:1/_gatepost", TOKEN) as asking:
        with pytest.raises(UnansweredError, match="ConnectError"):
            await asking.ask([])
