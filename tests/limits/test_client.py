"""Limits as a client meets them that people use, behind a real server: urllib3, which waits as it is told to."""

import asyncio
import threading

import urllib3
import uvicorn
from starlette.responses import PlainTextResponse

from gatepost import APIKeyMiddleware, APIKeys, Rate
from tests.servers.ports import free_port


async def make_key(database: str) -> str:
    async with APIKeys(database) as keys:
        return (await keys.create("a key", limits=[Rate(1, per=2)])).secret


def test_a_client_that_honours_retry_after_gets_through_with_a_single_wait_each_time(ready_sqlite_url: str) -> None:
    secret = asyncio.run(make_key(ready_sqlite_url))
    app = APIKeyMiddleware(PlainTextResponse("ok"), APIKeys(ready_sqlite_url))
    config = uvicorn.Config(app, port=free_port(), log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    waits = []
    try:
        asking = urllib3.Retry(total=20, connect=20, backoff_factor=0.1)  # 429 with Retry-After is waited for, no other
        with urllib3.PoolManager(retries=asking, headers={"X-API-Key": secret}) as client:
            for _ in range(3):
                answer = client.request("GET", f"http://127.0.0.1:{config.port}/")
                assert (answer.status, answer.data) == (200, b"ok")
                assert answer.retries is not None
                waits.append([each.status for each in answer.retries.history if each.status is not None])
    finally:
        server.should_exit = True
        thread.join()
    assert all(each in ([], [429]) for each in waits), "who waits as long as told is let in then"
    assert [429] in waits[1:]
