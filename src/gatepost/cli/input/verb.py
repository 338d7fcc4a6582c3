"""From an async function to a Typer command, and what its help shows beside the options."""

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable, Coroutine
from dataclasses import fields
from typing import Any, Concatenate, TypeVar, get_type_hints

from rich.markup import escape
from typer import Context

from gatepost.cli.input.options import Options

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
        if field.name in shared.names()
    ]
    wants_context = any(parameter.name == "context" for parameter in own)
    if not wants_context:
        own.append(inspect.Parameter("context", keyword, annotation=Context))

    @functools.wraps(run)
    def command(**values: Any) -> None:
        context = values["context"] if wants_context else values.pop("context")
        options: Any = shared(**{name: values.pop(name) for name in shared.names()})
        if options.as_json:  # stderr is for the one JSON object of an error
            logging.getLogger("gatepost").addHandler(logging.NullHandler())
        asyncio.run(run(options.prepared(_typed(context)), **values))

    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=keyword) for parameter in own] + inherited
    )
    return command


def _typed(context: Context) -> frozenset[str]:
    """The options that stand in the command itself."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE")


def examples(*lines: str) -> str:
    """What to type, a line each."""
    return "[bold]Examples[/]\n" + "\n".join(f"$ {escape(line)}" for line in lines)
