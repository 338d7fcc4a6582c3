"""What of the house can be counted: how long its rooms and files are, and that nobody climbs in through a window.

src/gatepost ──> rooms (folders) ──> lines of each, its longest file ──> bounds
                                 ──> imports from another room ──> only by its `__init__`
"""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "gatepost"

ROOM_LINES_MAX = 2_500
FILE_LINES_MAX = 400

MIGRATIONS = "database.schema.migrations"
"""Not a room: Alembic's scripts, each of which stays as it was released."""


@dataclass(frozen=True)
class Room:
    """A folder of modules. `name`: dotted, below `gatepost`; folders within it are rooms of their own."""

    name: str
    folder: Path

    @cached_property
    def lines(self) -> Mapping[Path, int]:
        """How long its files are."""
        return {file: len(file.read_text().splitlines()) for file in sorted(self.folder.glob("*.py"))}

    @property
    def module(self) -> str:
        """As it is imported."""
        return f"gatepost.{self.name}"


def rooms(source: Path = SOURCE) -> Sequence[Room]:
    """All of them, by name."""
    folders = sorted(file.parent for file in source.rglob("*/__init__.py"))
    named = [Room(".".join(folder.relative_to(source).parts), folder) for folder in folders]
    return [room for room in named if not room.name.startswith(MIGRATIONS)]


def too_long(room: Room) -> Iterator[str]:
    """Sentences about what is longer than it may be."""
    total = sum(room.lines.values())
    if total > ROOM_LINES_MAX:
        yield f"{room.name} has {total} lines, and no room may have more than {ROOM_LINES_MAX}"
    for file, lines in room.lines.items():
        if lines > FILE_LINES_MAX:
            yield f"{room.name}/{file.name} has {lines} lines, and no file may have more than {FILE_LINES_MAX}"


def reached_past(room: Room, house: Sequence[Room]) -> Iterator[str]:
    """Sentences about imports of another room's modules, which are for that room alone: it gives out by its `__init__`
    what others may use. Also late ones, and those for annotations."""
    for file in room.lines:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                imported = [node.module]
            else:
                continue
            for module in imported:
                of = max((each.module for each in house if f"{module}.".startswith(f"{each.module}.")), default=None)
                if of not in (None, room.module, module):
                    yield f"{room.name}/{file.name}:{node.lineno} imports {module}: import it from {of}"


def main() -> int:
    """Print how long everything is; answers the exit code."""
    house = rooms()
    for room in house:
        longest = max(room.lines, key=lambda file: room.lines[file])
        print(
            f"{room.name:<22}{sum(room.lines.values()):>6} lines in {len(room.lines):>2} files, at most "
            f"{room.lines[longest]:>3} ({longest.name})"
        )
    wrong = [sentence for room in house for sentence in (*too_long(room), *reached_past(room, house))]
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
