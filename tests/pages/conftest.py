"""Chromium, as the page's tests have it."""

from tests.admin.page.conftest import browser

__all__ = ["browser"]
