"""The template of a path, `/files/{id}`: which paths it takes, as far as can be said without a request."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SEGMENT = "[^/]+"
ANYTHING = ".*"


@dataclass(frozen=True, slots=True)
class Hole:
    """A parameter in a template. `regex`: what it takes; `is_wide`: slashes too; `sample`: a text that it takes, `None`
    = none is known."""

    regex: str = SEGMENT
    is_wide: bool = False
    sample: str | None = "x"


ANY = Hole(ANYTHING, is_wide=True, sample="x")
"""Whatever comes."""

UNKNOWN = Hole(ANYTHING, is_wide=True, sample=None)
"""Something that is not told, such as a regular expression of the app's own."""


@dataclass(frozen=True, slots=True)
class Template:
    """`text`: as the framework writes it, and usage is counted by. `parts`: texts and holes, in order."""

    text: str = ""
    parts: Sequence[str | Hole] = ()

    def __add__(self, below: "Template") -> "Template":
        return Template(self.text + below.text, (*self.parts, *below.parts))

    @property
    def sample(self) -> str | None:
        """A path that it takes; `None` = none is known."""
        texts = [part if isinstance(part, str) else part.sample for part in self.parts]
        return None if None in texts else "".join(map(str, texts)) or "/"

    @property
    def is_fixed(self) -> bool:
        """Whether it takes one path alone."""
        return all(isinstance(part, str) for part in self.parts)

    @property
    def root(self) -> str | None:
        """Of all that is below a place, `/files/*`: that place, `/files`; `None` = it is something else, or has
        parameters before."""
        if not self.text.endswith("/*") or self.parts[-1:] != (ANY,):
            return None
        head = self._head
        return (
            head.removesuffix("/")
            if self.parts[:-1] and all(isinstance(each, str) for each in self.parts[:-1])
            else None
        )

    def without(self, above: "Template") -> "Template":
        """What is left of it below `above`, which it begins with."""
        return Template(self.text.removeprefix(above.text), self.parts[len(above.parts) :])

    def takes(self, path: str) -> bool:
        """Whether it may take this path."""
        if self.is_fixed or not path.startswith(self._head):  # for most, no expression is made
            return path == (self._head or "/") and self.is_fixed
        regex = "".join(re.escape(part) if isinstance(part, str) else f"(?:{part.regex})" for part in self.parts)
        return re.fullmatch(regex, path) is not None

    def is_below(self, folder: str) -> bool:
        """Whether every path that it takes is below `folder`, which ends with a slash."""
        head = self._head
        return head.startswith(folder) and (head != folder or not self.is_fixed)

    def may_be_below(self, folder: str) -> bool:
        """Whether some path that it takes may be below `folder`, which ends with a slash."""
        head = self._head
        if self.is_fixed or not (head.startswith(folder) or folder.startswith(head)):
            return self.is_below(folder)
        segments: list[list[str | Hole]] = [[]]
        for part in self.parts:
            if isinstance(part, Hole):
                segments[-1].append(part)
                continue
            first, *others = part.split("/")
            segments[-1].append(first)
            segments += [[each] for each in others]
        for number, name in enumerate(folder.removesuffix("/").split("/")):
            if number >= len(segments):
                return False
            one = segments[number]
            if any(isinstance(part, Hole) and part.is_wide for part in one):
                return True
            regex = "".join(re.escape(part) if isinstance(part, str) else f"(?:{part.regex})" for part in one)
            if re.fullmatch(regex, name) is None:
                return False
        return len(segments) > folder.count("/")

    @property
    def _head(self) -> str:
        """The text before the first hole."""
        texts: list[str] = []
        for part in self.parts:
            if isinstance(part, Hole):
                break
            texts.append(part)
        return "".join(texts)


ROOT = Template()
"""Where nothing is in front."""


def parse(text: str, holes: "re.Pattern[str]", hole_of: Callable[["re.Match[str]"], Hole]) -> Template:
    """The template that a framework writes so. `holes`: how parameters look; `hole_of`: what one takes."""
    parts: list[str | Hole] = []
    end = 0
    for match in holes.finditer(text):
        parts += [text[end : match.start()], hole_of(match)]
        end = match.end()
    return Template(text, tuple(part for part in (*parts, text[end:]) if part != ""))


def literal(text: str) -> Template:
    """A template without parameters."""
    return Template(text, (text,) if text else ())


SAMPLES = {
    "int": "1",
    "integer": "1",
    "float": "1.5",
    "decimal": "1.5",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "date": "2030-01-31",
    "datetime": "2030-01-31T00:00:00",
    "time": "00:00:00",
    "timedelta": "1",
    "path": "x",
    "slug": "x",
    "str": "x",
    "string": "x",
    "default": "x",
    "unicode": "x",
}
"""By the names that frameworks give to kinds of parameters: a text that is one."""
