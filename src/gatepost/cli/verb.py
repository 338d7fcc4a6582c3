"""From an async function to a Typer command."""

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable, Coroutine
from dataclasses import fields
from typing import Any, Concatenate, TypeVar, get_type_hints

from gatepost.cli.options import Options

Shared = TypeVar("Shared", bound=Options)


def verb(run: Callable[Concatenate[Shared, ...], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The command that runs `run`, whose first parameter is a dataclass of options shared with other commands.

    Typer reads a command's options from its signature: this one has the fields of the dataclass in its place, last.
    """
    first, *own = inspect.signature(run).parameters.values()
    shared: type[Options] = first.annotation
    hints = get_type_hints(shared, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    inherited = [
        inspect.Parameter(field.name, keyword, default=field.default, annotation=hints[field.name])
        for field in fields(shared)
    ]

    @functools.wraps(run)
    def command(**values: Any) -> None:
        options: Any = shared(**{field.name: values.pop(field.name) for field in fields(shared)})
        if options.as_json:  # stderr is for the one JSON object of an error
            logging.getLogger("gatepost").addHandler(logging.NullHandler())
        asyncio.run(run(options, **values))

    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=keyword) for parameter in own] + inherited
    )
    return command
