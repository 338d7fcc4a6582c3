"""A download that is ended looks cut, whatever stands outside of gatepost, under real servers."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.asgi_servers.serving import Serving, serving

LAYERS = [
    "none",
    "swallowing",
    "base",
    "base-twice",
    "base-inside",
    "base-on-both-sides",
    "gzip",
    "base-around-gzip",
    "gzip-around-base",
    "base-around-cors",
    "base-around-another-gatepost",
]
SERVERS = {
    "uvicorn-h11": ("uvicorn", "--http", "h11"),
    "uvicorn-httptools": ("uvicorn", "--http", "httptools"),
    "hypercorn": ("hypercorn",),
    "granian": ("granian",),
}
BOUND_SECONDS = 120.0
"""Ends a test of what is not cut at all."""


@pytest.fixture(scope="module", params=sorted(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    name, *options = SERVERS[request.param]
    with serving(name, *options, app="tests.connections.layers:app") as serving_:
        yield serving_


@pytest.mark.parametrize("length", ["chunked", "length"])
@pytest.mark.parametrize("layers", LAYERS)
async def test_a_download_that_is_ended_looks_cut(server: Serving, layers: str, length: str) -> None:
    async with server.keys() as keys:
        issued = await keys.create("a test's")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        encoding = "Accept-Encoding: gzip\r\n" if "gzip" in layers else ""
        writer.write(
            f"GET /{layers}/{length} HTTP/1.1\r\nHost: x\r\nX-API-Key: {issued.secret}\r\n{encoding}\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        assert (b"chunked" in head.lower()) is (length == "chunked" or "gzip" in layers), head
        got = await reader.read(10)
        await keys.deactivate(issued.key.id, wait="commit")
        async with asyncio.timeout(BOUND_SECONDS):
            got += await reader.read()  # to the end of the connection
        writer.close()
    if b"chunked" in head.lower():
        assert got
        assert not got.endswith(b"0\r\n\r\n"), "the last chunk: a client takes this for the whole"
    else:
        assert len(got) < 1_000_000
