"""From an async function to a Typer command."""

from gatepost.cli.input import verb

__all__ = ["verb"]
