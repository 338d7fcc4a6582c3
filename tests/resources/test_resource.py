"""Resources as text: one form of each, what is refused, and what reaches what; held against the file system's own."""

import posixpath
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatepost import BadInputError
from gatepost.base.resources import (
    RESOURCE_MAX,
    RESOURCES_MAX,
    checked_resources,
    common_resources,
    normal_path,
    normal_resource,
    reaches,
    resources_of,
    resources_text,
    within_resources,
)

PIECES = [
    "a",
    "b",
    "A",
    ".",
    "..",
    "...",
    "",
    "a.b",
    "é",
    "e\u0301",
    " ",
    "*",
    "~",
    "%",
    "%2e",
    "%2F",
    "%25",
    "\\",
    "\0",
]
paths = st.lists(st.sampled_from(PIECES), max_size=7).map("/".join)
names = st.sampled_from(["dir:/a", "dir:/a/b", "dir:/b", "dir:a", "dir:/a/b/c", "col:a", "dir:/A", "dir:/a b"])
limits = st.lists(st.one_of(names, names.map("{}/*".format), st.just("dir:/*")), max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/campaigns/spring", "campaigns/spring"),
        ("campaigns/spring", "campaigns/spring"),
        ("/campaigns//spring/", "campaigns/spring"),
        ("//campaigns", "campaigns"),
        ("/campaigns/./spring", "campaigns/spring"),
        ("/campaigns/../spring", "spring"),
        ("/a/b/../../c", "c"),
        ("/", ""),
        ("", ""),
        ("/Campaigns", "Campaigns"),
        ("/100%", "100%"),
        ("/a%20b", "a%20b"),
        ("/...", "..."),
        ("/..", None),
        ("..", None),
        ("/a/../../b", None),
        ("/a\\..\\b", None),
        ("/a/%2e%2e/b", None),
        ("/a%2Fb", None),
        ("/a%5cb", None),
        ("/a%252fb", None),
        ("/a%00", None),
        ("/a\0", None),
        ("/a\nb", None),
        ("/a\x85b", None),
        ("/a\ud800", None),
    ],
)
def test_the_one_form_of_a_path(path: str, normal: str | None) -> None:
    assert normal_path(path) == normal


@given(paths)
@example("/a/../..")
def test_a_path_with_a_form_leads_where_the_file_system_says(path: str) -> None:
    """As it is given, and in its form, a file system opens the same; and no form climbs or has two spellings."""
    normal = normal_path(path)
    if normal is None:
        return
    assert normal_path(normal) == normal
    root = "/top/of/the/store"
    as_given = posixpath.normpath(f"{root}/{path}")
    assert as_given == posixpath.normpath(f"{root}/{normal}")
    assert as_given == root or as_given.startswith(f"{root}/")
    assert not {"..", "."} & {*normal.split("/")}


@given(paths)
def test_what_climbs_has_no_form(path: str) -> None:
    depth = 0
    for part in path.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            assert normal_path(path) is None
            return


@given(paths, limits)
@example("a.b", ("dir:/a/*",))
def test_what_a_limit_reaches_on_disk_is_below_it(path: str, resources: tuple[str, ...]) -> None:
    """The comparison against Python's own, of real paths."""
    normal = normal_resource(f"dir:/{path}")
    if normal is None or not reaches(resources, normal):
        return
    opened = normal_path(path)
    assert opened is not None
    place = Path("/store") / opened
    tops = [
        (Path("/store" + each[4:].removesuffix("/*")), each.endswith("/*")) for each in resources if "dir:/" in each
    ]
    assert any(top in place.parents if is_prefix else top == place for top, is_prefix in tops), (path, resources)


@given(limits, limits)
def test_within_is_what_reaching_says(inner: tuple[str, ...], outer: tuple[str, ...]) -> None:
    asked = [
        "dir:/a",
        "dir:/a/b",
        "dir:/a/b/c",
        "dir:/b",
        "dir:a",
        "dir:a/x",
        "col:a",
        "dir:/A",
        "dir:/a b",
        "dir:/x/y",
    ]
    if within_resources(inner, outer):
        assert all(reaches(outer, each) for each in asked if reaches(inner, each))
    else:
        probes = [each.removesuffix("*") + "zz" if each.endswith("/*") else each for each in inner]
        assert not all(reaches(outer, each) for each in probes)
    assert within_resources(inner, None)
    assert not within_resources(None, outer)
    assert within_resources(None, None)


@given(limits)
def test_what_is_stored_is_read_again(resources: tuple[str, ...]) -> None:
    checked = checked_resources(resources)
    assert checked == tuple(sorted({*resources}))
    assert resources_of(resources_text(checked)) == checked
    assert resources_of(None) is None


@pytest.mark.parametrize("text", ["", "{", "3", '["dir:/../a"]', '"dir:/a"', "[3]", "null", '["*"]'])
def test_what_somebody_wrote_by_hand_and_wrongly_reaches_nothing(text: str) -> None:
    assert resources_of(text) == ()


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ("dir:/a", "must be a list, such as ['collection:spring', 'dir:/campaigns/*'], not 'dir:/a'"),
        (3, "must be a list"),
        ([3], "resources: 3 must be a kind, a colon and a name"),
        (["spring"], "'spring' must be a kind, a colon and a name"),
        (["Dir:/a"], "the kind in lower case"),
        (["*"], "must be a kind"),
        (["dir:*"], "has a * within: it stands for all below a name, at its end, behind a slash"),
        (["dir:/a*"], "has a * within"),
        (["dir:/*/b"], "has a * within"),
        (["dir:/a/**"], "has a * within"),
        (["dir:/a/"], "must be written as it is compared: 'dir:/a'"),
        (["dir://a/*"], "must be written as it is compared: 'dir:/a/*'"),
        (["dir://*"], "must be written as it is compared: 'dir:/*'"),
        (["dir:/a "], "must have no blanks at its ends"),
        (["dir:/a/* "], "must have no blanks at its ends"),
        (["dir:/a/../b"], "must be written as it is compared: 'dir:/b'"),
        (["dir:/../a"], "names nothing for certain"),
        (["dir:/a%2fb"], "names nothing for certain"),
        (["dir:"], "names nothing for certain"),
        (["dir:/" + "a" * RESOURCE_MAX], f"must have {RESOURCE_MAX} characters at most, not {RESOURCE_MAX + 5}"),
        ([f"dir:/{number}" for number in range(RESOURCES_MAX + 1)], f"must be {RESOURCES_MAX} at most, not 51"),
    ],
)
def test_bad_resources_are_told_with_what_to_write(given_: object, told: str) -> None:
    with pytest.raises(BadInputError) as caught:
        checked_resources(given_)  # type: ignore[arg-type]
    assert told in str(caught.value)
    assert caught.value.field == "resources"


@given(limits, limits, names)
def test_what_two_have_in_common_is_what_both_reach(one: tuple[str, ...], other: tuple[str, ...], name: str) -> None:
    both = common_resources(one, other)
    assert both is not None
    assert reaches(both, name) == (reaches(one, name) and reaches(other, name))
    assert within_resources(both, one)
    assert within_resources(both, other)
    assert common_resources(None, other) == common_resources(other, None) == other
