"""The house is as docs/architecture.md draws it, and the tool that measures it can fail."""

import ast
import re
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path

from tests.rooms import FILE_LINES_MAX, ROOM_LINES_MAX, SOURCE, Room, reached_past, rooms, too_long

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def known() -> Mapping[str, set[str]]:
    """Of each room the others that it imports."""
    house = rooms()
    found: dict[str, set[str]] = {}
    for room in house:
        modules = [
            node.module
            for file in room.lines
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module is not None
        ]
        others = [each for each in house if each.module in modules and each != room]
        found[room.name] = {other.name for other in others}
    return found


def test_the_picture_has_the_floors_that_imports_are_held_to() -> None:
    picture = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert picture is not None
    drawn = [
        set(re.findall(r"[a-z]+", line[:32])) for line in picture[1].splitlines() if re.match(r" {4}[a-z]", line[:32])
    ]
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:rooms"]["layers"].split("\n")
    held = [set(re.findall(r"[a-z]+", layer)) for layer in layers if layer and "__main__" not in layer]
    assert drawn == held
    assert set.union(*drawn) == {room.name for room in rooms() if "." not in room.name}


def test_the_table_says_what_each_room_knows() -> None:
    table = PAGE.partition("## The rooms")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z.]+)` \| .+? \| ?(.*?) ?\|$", table, re.MULTILINE)
    assert {name: set(re.findall(r"`([a-z.]+)`", knows)) for name, knows in rows} == known()


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`([a-z_/]+(?:\.py|/))`", PAGE)) - {"src/gatepost"}
    assert len(named) > 20
    missing = [name for name in named if not (SOURCE / name).exists() and not (ROOT / name).exists()]
    assert not missing


def test_no_room_and_no_file_is_too_long_and_nobody_reaches_past_a_room() -> None:
    house = rooms()
    assert len(house) > 15
    assert not [sentence for room in house for sentence in (*too_long(room), *reached_past(room, house))]


def test_what_is_too_long_or_reaches_past_a_room_is_told(tmp_path: Path) -> None:
    for name in ("above", "below"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('"""A room."""\n')
    (tmp_path / "below" / "inner.py").write_text("\n" * (FILE_LINES_MAX + 1))
    for number in range(ROOM_LINES_MAX // FILE_LINES_MAX + 1):
        (tmp_path / "above" / f"part{number}.py").write_text("\n" * FILE_LINES_MAX)
    (tmp_path / "above" / "window.py").write_text(
        "from gatepost.below import inner\n\n\ndef late():\n    from gatepost.below.inner import thing\n"
    )
    above, below = rooms(tmp_path)
    assert (above, below) == (Room("above", tmp_path / "above"), Room("below", tmp_path / "below"))
    assert [*too_long(below)] == ["below/inner.py has 401 lines, and no file may have more than 400"]
    assert [*too_long(above)] == ["above has 2806 lines, and no room may have more than 2500"]
    (through,) = reached_past(above, (above, below))
    assert through == "above/window.py:5 imports gatepost.below.inner: import it from gatepost.below"
    assert not [*reached_past(below, (above, below))]
