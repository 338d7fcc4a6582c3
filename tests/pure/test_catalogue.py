"""Catalogues: the 31 built-in permissions, an app's own, and names that none has."""

import copy
import pickle
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.base.errors import BadInputError, UnknownPermissionError
from gatepost.rules.catalogue import DAM, NAME_MAX, Catalogue, Permission, check_declared

DESIGN = """
OBJECTS_LIST list assets · OBJECTS_FETCH fetch assets · FILE_UPLOAD upload file ·
FILE_META_CREATE create file metadata · FILE_META_CHANGE update file metadata · FILE_RENAME rename file ·
FILE_MOVE move file · FILE_DELETE delete file · FILE_SET_VISIBILITY set file visibility · FILE_LABEL_CHANGE
update file labels · FILE_IMAGE_EDITOR edit file · DIR_CREATE create directory · DIR_RENAME rename directory ·
DIR_META_CHANGE create and update directory metadata · DIR_MOVE move directory · DIR_DELETE delete directory ·
DIR_SET_VISIBILITY set directory visibility · CONFIG_CHANGE change container configuration · CONFIG_LIST list
container configuration · FILE_PRODUCT_CHANGE change product information · FILE_PROCESS_AUTOTAGGING perform
autotagging · COLLECTIONS_LIST list collections · COLLECTIONS_MANAGE manage collections · LABELS_LIST view labels ·
LABEL_MANAGE manage labels · OBJECTS_SHARE_MANAGE manage sharebox · OBJECTS_AIRBOX_MANAGE manage airbox ·
OBJECTS_APPROVAL_MANAGE manage approval · OBJECTS_APPROVAL_VOTE approve/reject assets · ACCESS_READ view accesses ·
ACCESS_MANAGE manage accesses
"""
"""Section 1 of the design, word for word."""

THE_31 = [tuple(" ".join(entry.split()).split(" ", 1)) for entry in DESIGN.split("·")]


class Notes(Catalogue):
    """A catalogue of an app."""

    NOTES_READ = "read notes"
    NOTES_WRITE = "write and delete notes"


class Archive(Notes):
    """A catalogue that goes on from another."""

    ARCHIVE_READ = "read old notes"
    NOTES_WRITE = "write notes, old ones too"


class Pictures(Catalogue):
    """One more, to be joined with the first."""

    PICTURES_READ = "look at pictures"


def test_the_built_in_catalogue_is_the_31_permissions_of_the_design_in_order() -> None:
    assert len(THE_31) == 31
    assert [(str(permission), permission.sentence) for permission in DAM] == THE_31
    assert len(DAM) == 31


def test_a_permission_is_its_name() -> None:
    assert Notes.NOTES_READ == "NOTES_READ"
    assert isinstance(Notes.NOTES_READ, Permission)
    assert {"NOTES_READ": 1}[Notes.NOTES_READ] == 1
    assert orjson.dumps([Notes.NOTES_READ]) == b'["NOTES_READ"]'
    assert Notes.check([Notes.NOTES_READ]) == {"NOTES_READ"}


def test_what_is_checked_is_plain_names() -> None:
    assert {type(name) for name in Notes.check(Notes)} == {str}


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_permission_survives_copy_and_pickle_with_its_sentence(duplicate: Any) -> None:
    twin = duplicate(DAM.FILE_UPLOAD)
    assert twin == "FILE_UPLOAD"
    assert twin.sentence == "upload file"


def test_a_class_declares_a_permission_a_line() -> None:
    assert [(str(p), p.sentence) for p in Notes] == [
        ("NOTES_READ", "read notes"),
        ("NOTES_WRITE", "write and delete notes"),
    ]
    assert "NOTES_READ" in Notes
    assert "FILE_UPLOAD" not in Notes


def test_docstrings_private_names_and_methods_are_no_permissions() -> None:
    class Odd(Catalogue):
        """Documented."""

        _private = "not a permission"
        REAL = "a permission"
        number = 5

        @staticmethod
        def method() -> str:
            return "not a permission"

    assert list(Odd) == ["REAL"]


def test_a_subclass_of_a_subclass_has_the_permissions_of_both() -> None:
    assert sorted(Archive) == ["ARCHIVE_READ", "NOTES_READ", "NOTES_WRITE"]
    assert {str(p): p.sentence for p in Archive}["NOTES_WRITE"] == "write notes, old ones too"
    assert sorted(Notes) == ["NOTES_READ", "NOTES_WRITE"]
    assert Archive.check(["NOTES_READ", "ARCHIVE_READ"]) == {"NOTES_READ", "ARCHIVE_READ"}


def test_a_subclass_of_two_catalogues_has_the_permissions_of_both() -> None:
    class Both(Archive, Pictures):
        MORE = "do more"

    assert Both.check(["NOTES_READ", "ARCHIVE_READ", "PICTURES_READ", "MORE"])
    assert {str(p): p.sentence for p in Both}["NOTES_WRITE"] == "write notes, old ones too"


def test_a_mapping_declares_names_that_are_no_identifiers() -> None:
    files = Catalogue.of("Files", {"files:read": "read files", "FILES-WRITE": "write files", "Größe": "measure"})
    assert files.__name__ == "Files"
    assert files.check(["files:read", "FILES-WRITE", "Größe"]) == {"files:read", "FILES-WRITE", "Größe"}
    assert [p.sentence for p in files] == ["read files", "write files", "measure"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "two words",
        "tab\there",
        "line\n",
        "no\u00a0break",
        "nul\0",
        "\ud800",
        "\u2028",
        "x" * (NAME_MAX + 1),
        "check",
        "of",
        "_private",
        "__doc__",
        5,
        None,
        b"BYTES",
    ],
)
def test_a_bad_name_is_refused_when_declared_and_named(name: Any) -> None:
    with pytest.raises(BadInputError, match="cannot be a permission's name") as caught:
        Catalogue.of("Bad", {"GOOD": "fine", name: "not fine"})
    assert repr(name) in str(caught.value)


def test_a_sentence_that_is_no_text_is_refused_and_not_dropped() -> None:
    with pytest.raises(BadInputError, match="'FILES_READ'"):
        Catalogue.of("Bad", {"FILES_READ": None})  # type: ignore[dict-item]


def test_a_name_that_would_hide_a_method_of_catalogues_is_refused() -> None:
    with pytest.raises(BadInputError, match="'check'"):

        class Bad(Catalogue):
            check = "check things"  # type: ignore[assignment]


@given(st.dictionaries(st.text(max_size=70), st.text(), max_size=5))
def test_what_is_declared_is_there_to_the_last_name_or_refused(permissions: dict[str, str]) -> None:
    try:
        catalogue = Catalogue.of("Any", permissions)
    except BadInputError:
        return
    assert {str(p): p.sentence for p in catalogue} == permissions
    assert catalogue.check(permissions) == permissions.keys()
    for name in permissions:  # names are stored joined by spaces
        assert name.split() == [name]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("FILE_UPLOD", "FILE_UPLOAD"),
        ("file_upload", "FILE_UPLOAD"),
        ("OBJECT_LIST", "OBJECTS_LIST"),
        ("LABELS_MANAGE", "LABEL_MANAGE"),
        ("zzzzzz", None),
        ("", None),
        ("\0\ud800", None),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, nearest: str | None) -> None:
    with pytest.raises(UnknownPermissionError) as caught:
        DAM.check(["FILE_MOVE", name])
    assert (caught.value.name, caught.value.nearest) == (name, nearest)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    assert str(caught.value) == f"No permission {name!r} in the catalogue DAM.{hint}"


def test_the_nearest_of_lower_case_names_is_found_too() -> None:
    files = Catalogue.of("Files", {"files:read": "read files", "files:write": "write files"})
    with pytest.raises(UnknownPermissionError, match="Did you mean 'files:read'"):
        files.check(["files:reed"])


def test_names_of_other_catalogues_are_unknown() -> None:
    with pytest.raises(UnknownPermissionError, match="in the catalogue Notes"):
        Notes.check(["FILE_UPLOAD"])


@pytest.mark.parametrize("text", ["FILE_UPLOAD", b"FILE_UPLOAD", DAM.FILE_UPLOAD])
def test_a_single_text_is_no_list_of_names(text: Any) -> None:
    for check in (DAM.check, check_declared):
        with pytest.raises(BadInputError, match="must be a list of names, not the single text"):
            check(text)


@pytest.mark.parametrize("names", [None, 5, object()])
def test_what_is_no_list_of_names_is_refused(names: Any) -> None:
    with pytest.raises(BadInputError, match="must be a list of names"):
        DAM.check(names)


@pytest.mark.parametrize("name", [None, 5, b"FILE_UPLOAD", ["FILE_UPLOAD"]])
def test_a_name_that_is_no_text_is_refused(name: Any) -> None:
    with pytest.raises(BadInputError, match="must be a str, not"):
        DAM.check(["FILE_UPLOAD", name])


@pytest.mark.parametrize("make", [list, tuple, set, frozenset, iter])
def test_any_collection_of_names_will_do(make: Any) -> None:
    assert DAM.check(make(["FILE_UPLOAD", "FILE_MOVE"])) == {"FILE_UPLOAD", "FILE_MOVE"}
    assert DAM.check(make([])) == frozenset()


def test_a_route_may_name_permissions_of_any_declared_catalogue() -> None:
    names = {"FILE_UPLOAD", "NOTES_READ", "ARCHIVE_READ", "PICTURES_READ"}
    assert check_declared(names) == names


def test_a_route_may_name_no_permission_that_no_catalogue_declares() -> None:
    told = r"'NOTE_READ' in any declared catalogue. Did you mean 'NOTES_READ'\? If .* declare or import that above"
    with pytest.raises(UnknownPermissionError, match=told):
        check_declared(["FILE_UPLOAD", "NOTE_READ"])
