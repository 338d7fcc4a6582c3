"""One page of a list, or all of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from gatepost.base import BadInputError, Page
from gatepost.cli.output.console import print_note
from gatepost.rules import PAGE_MAX

T = TypeVar("T")


async def pages(
    read: Callable[..., Awaitable[Page[T]]], *, after: str | None = None, **choice: Any
) -> AsyncIterator[Page[T]]:
    """Every page from `after` on, as long as can be. `read`: a verb; `choice`: what else it is called with."""
    while True:
        page = await read(**choice, after=after, limit=PAGE_MAX)
        yield page
        after = page.next
        if after is None:
            return


async def collect(
    read: Callable[..., Awaitable[Page[T]]],
    *,
    after: str | None,
    limit: int,
    every: bool,
    before: str | None = None,
    **choice: Any,
) -> Page[T]:
    """The page that was asked for, or with `every` all that there is as one. Raises `BadInputError`."""
    if before is not None:
        if every:
            raise BadInputError("--before and --all exclude each other")
        return await read(**choice, after=after, before=before, limit=limit)
    if not every:
        return await read(**choice, after=after, limit=limit)
    return Page([item async for page in pages(read, after=after, **choice) for item in page.items], None)


def note_more(page: Page[T], *, as_json: bool) -> None:
    """Tell people that there are more, and where they go on."""
    if page.next is not None and not as_json:
        print_note(f"There are more: go on with --after {page.next}, or list them with --all")
