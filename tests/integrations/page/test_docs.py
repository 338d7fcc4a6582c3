"""`/docs` in Chromium: *Authorize*, then a call that is let in, and one that is told what it lacks."""

import re
from importlib.resources import files

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from gatepost import APIKeys
from tests.admin.page.served import listening
from tests.frameworks.conftest import Issuance
from tests.integrations.fastapi_app import make

pytestmark = pytest.mark.asyncio(loop_scope="session")

DIST = files("drf_spectacular_sidecar") / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"
"""Swagger UI, which FastAPI's page loads from elsewhere."""


async def from_here(route: Route) -> None:
    """What the page loads from the network of its maker."""
    file = DIST / route.request.url.rpartition("/")[2]
    await (route.fulfill(path=str(file)) if file.is_file() else route.abort())


async def authorize(page: Page, scheme: str, secret: str) -> None:
    await page.get_by_role("button", name="Authorize").first.click()
    form = page.locator(".auth-container form").filter(has_text=scheme)
    await form.locator("input").fill(secret)
    await form.get_by_role("button", name="Apply credentials").click()
    await expect(form.get_by_text("Authorized")).to_be_visible()
    await page.locator(".btn-done").first.click()


async def call(page: Page, path: str) -> Locator:
    """Try the operation: where the page shows status and body."""
    operation = page.locator(".opblock").filter(has=page.locator(f'[data-path="{path}"]')).first
    if await operation.locator(".try-out__btn").count() == 0:
        await operation.locator(".opblock-summary-control").click()
        await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    return operation.locator(".live-responses-table .response")


@pytest.mark.parametrize("scheme", ["Bearer", "X-API-Key"])
async def test_docs_can_authorize_and_then_call(
    browser: Browser, database: str, issuance: Issuance, scheme: str
) -> None:
    async with APIKeys(database) as keys, listening(make(keys)) as origin:
        page = await browser.new_page()
        await page.route(re.compile("^https://"), from_here)
        await page.goto(f"{origin}/docs")
        await expect(await call(page, "/me")).to_contain_text("key_missing")
        await authorize(page, scheme, issuance.reader.secret)
        await expect(await call(page, "/me")).to_contain_text(issuance.reader.key.id)
        await expect(await call(page, "/scopes")).to_contain_text("permission_denied")
        await page.close()
