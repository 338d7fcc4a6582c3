"""A browser for the session; for each test a served page, and visitors."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, async_playwright, expect

from gatepost.admin.entry import session
from tests.admin.page.served import Served, serving
from tests.admin.page.visitor import Visitor
from tests.servers.programs import on_this_machine

Visit = Callable[..., Awaitable[Visitor]]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 60_000
"""Ends what hangs; a slow machine takes longer."""

expect.set_options(timeout=TIMEOUT_MS)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, with a profile of its own that goes with it."""
    program = os.environ.get("CHROMIUM") or next(map(str, on_this_machine(["chromium", "google-chrome"])), None)
    if program is None:
        pytest.skip("no chromium found on this machine")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def served(ready_sqlite_url: str) -> AsyncIterator[Served]:
    """The page over an empty SQLite file, below a path of an app."""
    async with serving(ready_sqlite_url) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """`await visit(served, secret, **options)`: a visitor with a browser profile of their own, signed in where a
    secret is given. `options`: of the profile."""
    async with AsyncExitStack() as stack:

        async def visit(served: Served, secret: str | None = None, **options: Any) -> Visitor:
            context = await browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
            stack.push_async_callback(context.close)
            context.set_default_timeout(TIMEOUT_MS)
            await context.grant_permissions(["clipboard-read", "clipboard-write"])
            faults: list[str] = []
            stack.callback(_check_none, faults)

            def note(message: ConsoleMessage) -> None:
                if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
                    faults.append(message.text)

            context.on("console", note)
            context.on("weberror", lambda error: faults.append(str(error.error)))
            visitor = Visitor(context, await context.new_page(), served.url, faults)
            if secret is not None:
                await context.add_cookies(
                    [
                        {
                            "name": session.COOKIE,
                            "value": served.session(secret),
                            "domain": "127.0.0.1",
                            "path": served.mount or "/",
                            "httpOnly": True,
                            "sameSite": "Strict",
                        }
                    ]
                )
            await visitor.open()
            return visitor

        yield visit


def _check_none(faults: list[str]) -> None:
    """No script failed, and the content security policy stopped nothing."""
    assert not faults
