"""Which event loop runs here: a test has one of its own, and the app under it another, or none."""

import asyncio


def loop_here() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread; `None` = none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
