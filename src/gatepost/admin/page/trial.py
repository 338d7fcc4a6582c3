"""The line with which somebody tries a secret in a shell. Pure."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trial:
    """`path`: what any good key may ask, below the page's root. `header`: the line that carries a secret there, up to
    the secret."""

    path: str
    header: str

    def command(self, url: str) -> str:
        """Asks for the secret and calls `url` with it. It is typed or pasted, so that it is in no shell's history, and
        goes through a pipe, so that no list of processes shows it."""
        header = f'{shlex.quote(self.header)}"$SECRET"'
        return f"read -rs SECRET && printf %s {header} | curl -sS -H @- {shlex.quote(url)}"
