"""What holds under uvicorn, hypercorn and granian alike."""

import asyncio

import httpx2
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gatepost.base.secret import SecretFormat, new_id
from tests.asgi_servers.serving import POLL_SECONDS, Serving, serving

MARGIN_SECONDS = 1.0
"""For a busy two-core machine."""


async def secret_with(server: Serving, *permissions: str) -> tuple[str, str]:
    """A new key's secret and id, made by this process."""
    async with server.keys() as keys:
        issued = await keys.create("a test's", permissions)
    return issued.secret, issued.key.id


async def test_a_usable_key_passes_and_is_stripped(server: Serving) -> None:
    secret, key_id = await secret_with(server)
    async with server.client(secret) as client:
        for _ in range(3):  # from the database, then from memory
            answer = (await client.get("/me")).json()
            assert answer["id"] == key_id
            assert "authorization" not in answer["headers"]
            assert "user-agent" in answer["headers"]
        assert (await client.post("/measure", content=b"x" * 300_000)).text == "300000"
        denied = await client.post("/upload")
        assert (denied.status_code, denied.json()["missing"]) == (403, ["FILE_UPLOAD"])


async def test_callers_without_a_usable_key_are_refused(server: Serving) -> None:
    async with server.client() as client:
        missing = await client.get("/me")
        assert (missing.status_code, missing.json()["code"]) == (401, "key_missing")
        assert missing.headers["content-type"] == "application/problem+json"
        assert missing.headers["www-authenticate"] == 'Bearer realm="api"'
        assert (await client.head("/me")).status_code == 401
        assert (await client.get("/me")).status_code == 401, "the connection is usable after a HEAD"
    async with server.client(SecretFormat([bytes(32)]).make(new_id())) as client:
        assert (await client.get("/me")).json()["code"] == "key_invalid"


async def test_a_header_that_stands_twice_is_an_error(server: Serving) -> None:
    secret, _ = await secret_with(server)
    for lines in (
        [f"X-API-Key: {secret}", f"x-api-key: {secret}"],
        [f"Authorization: Bearer {secret}", "AUTHORIZATION: Basic Zm9v"],
        [f"Authorization: Bearer {secret}", "X-Api-Key: another"],
    ):
        status, answer = await asyncio.to_thread(server.exchange, "/me", *lines)
        assert (status, b"key_ambiguous" in answer) == (400, True)
    for lines in (
        [f"aUTHORIZATION:  bEARER   {secret}  "],
        [f"Authorization: Bearer {secret}", f"X-Api-Key: {secret}"],
        [f"Authorization: Bearer {secret}", "X-Api-Key:"],
        ["Authorization: Bearer ", f"X-Api-Key: \t{secret} "],
    ):
        assert (await asyncio.to_thread(server.exchange, "/me", *lines))[0] == 200, lines
    for lines in ([], ["X-Api-Key:"], ["X-Api-Key: \t "], ["Authorization: Bearer"], ["Authorization: Bearer  "]):
        status, answer = await asyncio.to_thread(server.exchange, "/me", *lines)
        assert (status, b"key_missing" in answer) == (401, True), lines


async def test_any_bytes_in_a_header_are_refused_and_never_an_error(server: Serving) -> None:
    for value in ("Bearer ", "Bearer", "Bearer \xff\xfe\x80", "Bearer " + "a" * 5000, "Bearer gp_", "\xff"):
        for name in ("Authorization", "X-API-Key"):
            status, _ = await asyncio.to_thread(server.exchange, "/me", f"{name}: {value}")
            assert status in {400, 401}, (name, value)


async def test_only_exempt_paths_need_no_key_whatever_the_target_and_host_say(server: Serving) -> None:
    for target in ("/health", "/health?x=1", "/public/a", "/public/a/b", "/%68ealth"):
        assert (await asyncio.to_thread(server.exchange, target))[0] == 200, target
    for target in (
        "/me",
        "/healthz",
        "/health/",
        "//health",
        "/health/../me",
        "/health/%2e%2e/me",
        "/health%2f..%2fme",
        "/public",
        "/public/",
        "/publicity",
        "/public/../me",
        "/public/%2e%2e/me",
        "/public/%2E%2E%2Fme",
        "/public/..%5Cme",
        "/public//me",
        "/me?/health",
        "/me;/health",
        "/me%3f/health",
        "/me%23/health",
    ):
        status, answer = await asyncio.to_thread(server.exchange, target)
        assert (status, b"key_missing" in answer) == (401, True), target
    for host in ("127.0.0.1/health?", "x/health", "/health", "x#/health"):
        status, answer = await asyncio.to_thread(server.exchange, "/me", host=host)
        assert status in {400, 401}, host
    status, answer = await asyncio.to_thread(server.exchange, "http://127.0.0.1/health/../me")
    assert status in {400, 401}


async def test_a_key_deactivated_by_another_process_is_refused_within_a_poll(server: Serving) -> None:
    secret, key_id = await secret_with(server)
    async with server.client(secret) as client, server.keys() as keys:
        assert (await client.get("/me")).status_code == 200
        await keys.deactivate(key_id)
        response = await client.get("/me")
        assert response.json()["code"] == "key_deactivated"
        await keys.activate(key_id)
        while (await client.get("/me")).status_code != 200:  # noqa: ASYNC110 - asks as clients would
            await asyncio.sleep(POLL_SECONDS / 10)
        assert (await client.get("/me")).status_code == 200


async def test_server_sent_events_arrive_one_by_one(server: Serving) -> None:
    secret, _ = await secret_with(server)
    async with server.client(secret) as client, client.stream("GET", "/stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        chunks = response.aiter_text()
        assert await anext(chunks) == "data: one\n\n"
        assert (await client.get("/open")).text == "open"
        assert await anext(chunks) == "data: two\n\n"
        assert [chunk async for chunk in chunks] == []


async def test_a_socket_with_a_key_is_accepted(server: Serving) -> None:
    secret, _ = await secret_with(server, "FILE_UPLOAD")
    for path in ("/echo", "/guarded-echo"):
        url = f"ws://127.0.0.1:{server.port}{path}"
        async with connect(url, additional_headers={"X-API-Key": secret}, proxy=None) as socket:
            await socket.send("ping")
            assert await socket.recv() == "pong ping"


async def refusal_of(server: Serving, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """The status and the problem's code."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{server.port}{path}", additional_headers=headers, proxy=None):
            pass
    response = refused.value.response
    assert response.headers["content-type"] == "application/problem+json"
    assert response.body
    return response.status_code, orjson.loads(response.body)["code"]


async def test_a_socket_without_a_usable_key_is_denied_with_a_response(server: Serving) -> None:
    secret, _ = await secret_with(server)
    assert await refusal_of(server, "/echo", {}) == (401, "key_missing")
    assert await refusal_of(server, "/echo", {"X-API-Key": "x"}) == (401, "key_invalid")
    assert await refusal_of(server, "/guarded-echo", {"X-API-Key": secret}) == (403, "permission_denied")


async def test_every_worker_refuses_a_deactivated_key() -> None:
    with serving("uvicorn", "--workers", "2") as server:
        secret, key_id = await secret_with(server)
        pids: set[int] = set()

        async def ask() -> int:
            async with server.client(secret) as client:  # a connection each: the system spreads them over the workers
                response = await client.get("/me")
            if response.status_code == 200:
                pids.add(response.json()["pid"])
            return response.status_code

        async with asyncio.timeout(120):
            while len(pids) < 2:
                assert set(await asyncio.gather(*(ask() for _ in range(10)))) == {200}
        async with server.keys() as keys:
            await keys.deactivate(key_id)
        await asyncio.sleep(POLL_SECONDS + MARGIN_SECONDS)
        pids.clear()
        assert set(await asyncio.gather(*(ask() for _ in range(60)))) == {401}


async def test_keys_are_opened_by_the_first_request_where_the_server_sends_no_lifespan() -> None:
    with serving("uvicorn", "--lifespan", "off", "--ws", "wsproto") as server:
        secret, _ = await secret_with(server, "FILE_UPLOAD")

        async def ask() -> httpx2.Response:
            async with server.client(secret) as client:
                return await client.get("/me")

        responses = await asyncio.gather(*(ask() for _ in range(10)))
        assert {response.status_code for response in responses} == {200}
        assert await refusal_of(server, "/echo", {}) == (401, "key_missing")
