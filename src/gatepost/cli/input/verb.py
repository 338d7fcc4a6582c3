"""From an async function to a Typer command, and what its help shows beside the options."""

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Concatenate, TypeVar, get_type_hints

from rich.markup import escape
from typer import Context

from gatepost.cli.input.options import Options

Shared = TypeVar("Shared", bound=Options)


def verb(run: Callable[Concatenate[Shared, ...], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The command that runs `run`, whose first parameter is a dataclass of options shared with other commands.

    Typer reads a command's options from its signature: this one has the fields of the dataclass in its place, last.
    Another parameter whose type is a dataclass stands for options too: its fields are in its place.
    """
    first, *own = inspect.signature(run).parameters.values()
    shared: type[Options] = first.annotation
    groups: dict[str, Any] = {each.name: each.annotation for each in own if is_dataclass(each.annotation)}
    listed = [each for it in own for each in (_options(groups[it.name], it.name) if it.name in groups else [it])]
    keyword = inspect.Parameter.KEYWORD_ONLY
    wants_context = any(parameter.name == "context" for parameter in own)
    if not wants_context:
        listed.append(inspect.Parameter("context", keyword, annotation=Context))

    @functools.wraps(run)
    def command(**values: Any) -> None:
        context = values["context"] if wants_context else values.pop("context")
        options: Any = shared(**{name: values.pop(name) for name in shared.names()})
        for name, group in groups.items():
            values[name] = group(**{each.name: values.pop(f"{name}_{each.name}") for each in fields(group)})
        if options.as_json:  # stderr is for the one JSON object of an error
            logging.getLogger("gatepost").addHandler(logging.NullHandler())
        asyncio.run(run(options.prepared(_typed(context)), **values))

    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=keyword) for parameter in listed]
        + [each for each in _options(shared) if each.name in shared.names()]
    )
    return command


def _options(group: Any, of: str = "") -> Iterator[inspect.Parameter]:
    """The fields of a dataclass as parameters. `of`: the parameter that they stand for, which their names begin
    with."""
    hints = group.hints() if issubclass(group, Options) else get_type_hints(group, include_extras=True)
    for each in fields(group):
        name = f"{of}_{each.name}" if of else each.name
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])


def _typed(context: Context) -> frozenset[str]:
    """The options that stand in the command itself."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE")


def examples(*lines: str) -> str:
    """What to type, a line each."""
    return "[bold]Examples[/]\n" + "\n".join(f"$ {escape(line)}" for line in lines)
