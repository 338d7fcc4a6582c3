"""Keys as JSON Lines and as CSV."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost import APIKey, BadInputError, ImportedKey
from gatepost.cli.formats import EXPORTED, IMPORTED, Format, format_of, key_writer, read_keys

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DIGEST = "ab" * 32


def key(**values: Any) -> APIKey:
    """A key with these values."""
    usual: dict[str, Any] = {
        "id": "4fT0aK9sQ2Lm",
        "project": None,
        "description": "x",
        "permissions": frozenset(),
        "active": True,
    }
    return APIKey(**(usual | {"created_at": NOW, "updated_at": NOW, "expires_at": None, "hint": None} | values))


def written(form: Format, *keys: APIKey) -> str:
    """The keys as a file."""
    out = io.StringIO()
    write = key_writer(form, out)
    for each in keys:
        write(each)
    return out.getvalue()


def read(form: Format, text: str | bytes) -> list[ImportedKey]:
    """The keys of a file."""
    lines = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return [each for _, each in read_keys(form, lines)]


def as_import(row: dict[str, str]) -> str:
    """A row of an export with a digest in front, as an import that has the same columns."""
    out = io.StringIO()
    writer = csv.DictWriter(out, IMPORTED)
    writer.writeheader()
    writer.writerow({"digest": DIGEST} | {name: row[name] for name in IMPORTED[1:]})
    return out.getvalue()


PRINTABLE = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20)
FORMULAS = st.builds("".join, st.tuples(st.sampled_from(["=", "+", "-", "@", "'", "'=", "''"]), PRINTABLE))


@given(st.one_of(PRINTABLE, FORMULAS), st.one_of(st.none(), PRINTABLE, FORMULAS))
def test_csv_holds_no_formula_and_reads_back_as_it_was(description: str, project: str | None) -> None:
    (row,) = csv.DictReader(io.StringIO(written("csv", key(description=description, project=project))))
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    (again,) = read("csv", as_import(row))
    assert (again.description, again.project) == (description, project)


@given(st.one_of(PRINTABLE, FORMULAS))
def test_json_lines_hold_texts_as_they_are(description: str) -> None:
    text = written("jsonl", key(description=description))
    assert orjson.loads(text)["description"] == description
    assert read("jsonl", orjson.dumps({"digest": DIGEST, "description": description}))[0].description == description


def test_the_columns_of_csv_are_the_members_of_json_that_a_cell_can_hold() -> None:
    one = key(permissions=frozenset({"B", "A"}), expires_at=NOW, active=False, project="acme", hint="gp_4fT0...abcd")
    assert tuple(orjson.loads(written("jsonl", one))) == (*EXPORTED, "old_secret", "last_used_at")
    head, row = csv.reader(io.StringIO(written("csv", one)))
    assert tuple(head) == EXPORTED
    moment = "2030-01-01T00:00:00+00:00"
    assert row == [
        one.id,
        "acme",
        "x",
        "A B",
        "",
        "false",
        moment,
        moment,
        moment,
        "",
        "",
        "",
        "",
        "",
        "",
        "gp_4fT0...abcd",
    ]
    for allow, cell in ((("10.0.0.0/8", "2001:db8::/32"), "10.0.0.0/8 2001:db8::/32"), ((), "nowhere")):
        (told,) = csv.DictReader(io.StringIO(written("csv", key(allow=allow))))
        assert told["allow"] == cell
        assert orjson.loads(written("jsonl", key(allow=allow)))["allow"] == [*allow]
        (again,) = read("csv", f"digest,description,allow\n{DIGEST},x,{cell}\n")
        assert again.allow == [*allow]
    assert written("csv") == ",".join(EXPORTED) + "\n"


NAMES = st.text(st.characters(exclude_categories=["C"], exclude_characters="/\\\\*%"), min_size=1, max_size=20)
RESOURCES = st.lists(NAMES.filter(lambda name: name not in (".", "..")).map("dir:/{}/*".format), max_size=4)


@given(st.one_of(st.none(), RESOURCES))
def test_resources_read_back_as_they_were_and_what_roles_limit_is_not_written(resources: list[str] | None) -> None:
    one = key(resources=None if resources is None else tuple(resources), role_resources={"A": ("dir:/a",)})
    told = orjson.loads(written("jsonl", one))
    assert (told["resources"], "role_resources" in told) == (resources, False)
    (row,) = csv.DictReader(io.StringIO(written("csv", one)))
    for again in (
        *read("csv", as_import(row)),
        *read("jsonl", orjson.dumps({name: {**told, "digest": DIGEST}[name] for name in IMPORTED})),
    ):
        assert again.resources == resources


def test_what_roles_give_is_not_written_as_a_keys_own() -> None:
    one = key(permissions=frozenset({"A", "B"}), roles=("editor", "reader"), own_permissions=frozenset({"B"}))
    told = orjson.loads(written("jsonl", one))
    assert (told["permissions"], told["roles"]) == (["B"], ["editor", "reader"])
    (row,) = csv.DictReader(io.StringIO(written("csv", one)))
    assert (row["permissions"], row["roles"]) == ("B", "editor reader")
    for again in (
        *read("csv", as_import(row)),
        *read("jsonl", orjson.dumps({name: {**told, "digest": DIGEST}[name] for name in IMPORTED})),
    ):
        assert ([*again.permissions], [*again.roles]) == (["B"], ["editor", "reader"])


def test_every_member_can_be_imported_from_both_forms() -> None:
    values = {
        "digest": DIGEST.upper(),
        "description": "nightly, import",
        "permissions": ["A", "B"],
        "roles": ["editor", "reader"],
        "project": "acme",
        "active": False,
        "expires_at": "2130-01-31",
        "allow": ["10.0.0.0/8", "::/0"],
        "hint": "old_...9",
    }
    (from_json,) = read("jsonl", orjson.dumps(values))
    cells = {**values, "permissions": "A  B", "roles": "editor reader", "allow": "10.0.0.0/8 ::/0", "active": "FALSE"}
    (from_csv,) = read("csv", ",".join(cells) + "\n" + ",".join(f'"{cell}"' for cell in cells.values()) + "\n")
    assert from_json == from_csv
    assert from_json.digest == bytes.fromhex(DIGEST)
    assert (from_json.permissions, from_json.active) == (["A", "B"], False)
    assert from_json.allow == ["10.0.0.0/8", "::/0"]
    assert from_json.expires_at == datetime(2130, 1, 31, tzinfo=UTC)


def test_what_is_left_out_or_empty_is_the_default() -> None:
    plain = ImportedKey(digest=bytes.fromhex(DIGEST), description="x", permissions=[], roles=[])
    nothing = dict.fromkeys(IMPORTED[2:])
    for text in (
        orjson.dumps({"digest": DIGEST, "description": "x"}),
        orjson.dumps({"digest": DIGEST, "description": "x"} | nothing | {"active": True}),
    ):
        assert read("jsonl", text) == [plain]
    assert read("csv", f"digest,description\n{DIGEST},x\n") == [plain]
    assert read("csv", f"{','.join(IMPORTED)}\r\n{DIGEST},x{',' * (len(IMPORTED) - 2)}\r\n") == [plain]


def test_a_mark_of_the_byte_order_and_empty_lines_are_no_matter() -> None:
    line = f'{{"digest": "{DIGEST}", "description": "x"}}'
    assert len(read("jsonl", f"\ufeff{line}\n\n  \n")) == 1
    assert len(read("csv", f"\ufeffdigest,description\n\n{DIGEST},x\n\n")) == 1
    assert read("jsonl", "") == read("csv", "") == read("csv", "digest,description\n") == []


GOOD = f'{{"digest": "{DIGEST}", "description": "x"}}\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD + "nonsense", "line 2: it is no JSON object"),
        (GOOD + "[]", "line 2: it is no JSON object"),
        (GOOD.encode() + b'{"digest": "\xff"}', "line 2: it is not UTF-8"),
        ('{"description": "x"}', "line 1: digest is missing"),
        (f'{{"digest": "{DIGEST}"}}', "line 1: description is missing"),
        ('\n{"digest": "gp_a_secret", "description": "x"}', "line 2: digest must be 64 hexadecimal digits"),
        ('{"digest": 5, "description": "x"}', "line 1: digest must be"),
        (GOOD[:-2] + ', "id": "4fT0aK9sQ2Lm"}', "line 1: 'id' cannot be imported, only digest, "),
        (GOOD[:-2] + ', "permissions": "A"}', "line 1: permissions must be a list"),
        (GOOD[:-2] + ', "active": "yes"}', "line 1: active must be true or false"),
        (GOOD[:-2] + ', "roles": "editor"}', "line 1: roles must be a list of names"),
        (GOOD[:-2] + ', "hint": 5}', "line 1: hint must be a text"),
        (GOOD[:-2] + ', "expires_at": "soon"}', "line 1: expires_at must be a date"),
        (GOOD[:-2] + ', "expires_at": 5}', "line 1: expires_at must be a date"),
        (GOOD[:-2] + ', "resources": "dir:/a"}', "line 1: resources must be a list of texts"),
        (GOOD[:-2] + ', "resources": {"dir:/a": 1}}', "line 1: resources must be a list of texts"),
        (GOOD[:-2] + ', "role_resources": {}}', "line 1: 'role_resources' cannot be imported"),
        (GOOD + "\n" + GOOD.upper().replace("DIGEST", "digest").replace("DESCRIPTION", "description"), "line 3: its"),
    ],
)
def test_what_is_wrong_in_json_lines_is_told_with_its_line(text: str | bytes, named: str) -> None:
    with pytest.raises(BadInputError) as refused:
        read("jsonl", text)
    assert str(refused.value).startswith(named)
    assert "a_secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"digest,name\n{DIGEST},x\n", "line 1: no column 'name' can be imported"),
        (f"digest\n{DIGEST}\n", "line 1: the column description is missing"),
        ("digest,digest,description\n", "line 1: the column digest stands there twice"),
        (f"digest,description\n{DIGEST}\n", "line 2: it has 1 cells, and the head has 2"),
        (f"digest,description\n\n{DIGEST},x,y\n", "line 3: it has 3 cells, and the head has 2"),
        ("digest,description\n,x\n", "line 2: digest is missing"),
        (f"digest,description,active\n{DIGEST},x,yes\n", "line 2: active must be true or false"),
        (f"digest,description,resources\n{DIGEST},x,dir:/a\n", "line 2: resources must be a JSON array of texts"),
        (f"digest,description,resources\n{DIGEST},x,null\n", "line 2: resources must be a JSON array of texts"),
        (f"digest,description,limits\n{DIGEST},x,often\n", "line 2: "),
        (f"digest,description,metadata\n{DIGEST},x,plan\n", "line 2: metadata"),
        (f'digest,description\n{DIGEST},"x"y\n', "line 2: it is no CSV"),
        (f'digest,description\n{DIGEST},"x\n', "line 2: it is no CSV"),
    ],
)
def test_what_is_wrong_in_csv_is_told_with_its_line(text: str, named: str) -> None:
    with pytest.raises(BadInputError) as refused:
        read("csv", text)
    assert str(refused.value).startswith(named)


@given(st.binary(max_size=200), st.sampled_from(["jsonl", "csv"]))
def test_any_bytes_are_keys_or_one_error_that_names_a_line(content: bytes, form: Format) -> None:
    refused = "line "
    try:
        read(form, content)
    except BadInputError as error:
        refused = str(error)
    assert refused.startswith("line ")


def test_the_name_of_a_file_tells_its_form() -> None:
    assert [format_of(name) for name in ("a.csv", "A.CSV", "a.jsonl", "-", "None", "csv")] == [
        "csv",
        "csv",
        *["jsonl"] * 4,
    ]
