"""An ASGI app under uvicorn, on a port that is known before anything is said of it."""

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from gatepost.base import BadInputError

ENDING_SECONDS = 5
"""What requests under way have to end in."""


class Server(uvicorn.Server):
    """Ends on SIGINT and SIGTERM without raising them again, so that what was opened is closed."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level=logging.WARNING,
                lifespan="on",
                server_header=False,
                timeout_graceful_shutdown=ENDING_SECONDS,
            )
        )

    async def run_on(self, listener: socket.socket, introduce: Callable[[], None]) -> None:
        """Serve until a signal comes. `introduce`: called once requests are answered."""
        serving = asyncio.create_task(self.serve(sockets=[listener]))
        while not self.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells it by an attribute only
            await asyncio.sleep(0.01)
        if self.started:
            introduce()
        await serving

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take both signals while serving."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def bound(host: str, port: int) -> socket.socket:
    """A socket that nothing else listens on; `port` 0 = a free one. Raises `BadInputError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as failure:
        listener.close()
        if failure.errno == errno.EADDRINUSE:
            raise BadInputError(f"Port {port} is in use: choose another one with --port") from None
        raise BadInputError(f"Cannot listen on {host} port {port} ({failure}): choose with --host and --port") from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Where it listens."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
