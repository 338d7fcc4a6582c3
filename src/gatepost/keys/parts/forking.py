"""What a forked child must forget of its parent's."""

import os
import weakref
from typing import Protocol


class Forgetful(Protocol):
    """Something that has opened what is this process's alone."""

    def _forget_in_child(self) -> None:
        """Let go of it, in a process that was forked: its parent's connections and place among the workers are not its
        own. It has to open them for itself, and nothing that was remembered counts until it has."""


_FORGOTTEN_IN_CHILDREN: "weakref.WeakSet[Forgetful]" = weakref.WeakSet()
"""Keys that have been opened in this process."""


def forget_at_fork(opened: Forgetful) -> None:
    """Have `opened` forget in each process that is forked off this one, for as long as somebody holds it."""
    _FORGOTTEN_IN_CHILDREN.add(opened)


def _after_fork_in_child() -> None:
    for opened in _FORGOTTEN_IN_CHILDREN:
        opened._forget_in_child()  # noqa: SLF001 - nobody else is to call it


if hasattr(os, "register_at_fork"):  # not on Windows, where there is no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
