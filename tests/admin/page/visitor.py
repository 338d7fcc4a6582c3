"""Somebody at a browser, signed in to the page."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urljoin

from playwright.async_api import BrowserContext, Locator, Page, expect

AXE = (files("axe_core_python") / "axe.min.js").read_text()


@dataclass(frozen=True, slots=True)
class Visitor:
    """`faults`: what the browser has complained of, beside answers that are no success."""

    context: BrowserContext
    page: Page
    url: str
    faults: list[str]

    async def open(self, path: str = "") -> None:
        """Go to a path below the page's root."""
        await self.page.goto(f"{self.url}{path}")

    async def sign_in(self, secret: str) -> None:
        """Give the secret."""
        await self.page.get_by_label("Secret key").fill(secret)
        await self.page.get_by_role("button", name="Sign in").click()

    @property
    def dialog(self) -> Locator:
        """The open dialog."""
        return self.page.locator("dialog[open]")

    @property
    def banner(self) -> Locator:
        """What the page says after a change."""
        return self.page.locator("#banner")

    def row(self, description: str) -> Locator:
        """The row of a key."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("rowheader").filter(has_text=description))

    async def choose(self, description: str, action: str) -> None:
        """Take an action from a key's menu."""
        await self.row(description).get_by_role("button", name="Actions for").click()
        await self.page.locator(".menu:popover-open").get_by_text(action, exact=True).click()

    async def press(self, name: str) -> None:
        """Press a button of the dialog."""
        await self.dialog.get_by_role("button", name=name, exact=True).click()

    async def secret(self) -> str:
        """The secret that the dialog shows."""
        shown = self.dialog.locator("#secret-text")
        await expect(shown).to_be_visible()
        return await shown.inner_text()

    async def clipboard(self) -> str:
        """What was copied; read by another page, since this one may not."""
        page = await self.context.new_page()
        await page.goto(urljoin(self.url, "/nothing"))
        text: str = await page.evaluate("navigator.clipboard.readText()")
        await page.close()
        return text

    async def violations(self, *rules: str) -> list[Any]:
        """What axe finds wrong with the page as it is now, by the rules named, or by all."""
        developer = await self.context.new_cdp_session(self.page)
        await developer.send("Runtime.evaluate", {"expression": AXE})  # past the page's content security policy
        options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found = await self.page.evaluate("options => axe.run(document, options)", options)
        return [
            (each["id"], [(node["target"], node["failureSummary"]) for node in each["nodes"]])
            for each in found["violations"]
        ]
