"""Fresh paths: whatever an app might take for one of them is one. The other way round than exempt paths."""

import posixpath
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette._utils import get_route_path

from gatepost.asgi.routes.exempt import FreshPaths

PATTERNS = ["/refund", "/payments/*", "/slash/", "/café"]


def fresh(path: str, *patterns: Any, **scope: Any) -> bool:
    """Whether a request for `path` is judged on the database's word."""
    return FreshPaths(patterns or PATTERNS).match({"type": "http", "path": path, **scope})


@pytest.mark.parametrize(
    "path",
    [
        "/refund",
        "/refund/",
        "/REFUND",
        "/payments",
        "/payments/",
        "/payments/1",
        "/payments/1/2",
        "/Payments/1",
        "/slash",
        "/slash/",
        "/café",
        "/cafe\u0301",
        "/\uff50ayments/1",
        "//payments/1",
        "/payments//1",
        "/./payments/1",
        "/x/../payments/1",
        "/other/..",
        "/payments\\1",
        "/x\\..\\payments",
        "/other\n",
        "/%70ayments/1",
        "/payments%2f1",
        "/other%2f1",
        "",
        "refund",
        "/a/payments/1",
        "/a/b/refund",
        "/paymentsx",
        "/pay/ments/1",
    ],
)
def test_what_an_app_might_take_for_a_fresh_path_is_one(path: str) -> None:
    assert fresh(path)


@pytest.mark.parametrize(
    "path", ["/", "/other", "/other/", "/refunds", "/refund/1", "/arefund", "/a/repayments/1", "/.well-known/x", "/é"]
)
def test_others_are_not(path: str) -> None:
    assert not fresh(path)


def test_an_encoded_slash_in_the_raw_path_is_in_doubt() -> None:
    assert fresh("/a/b", raw_path=b"/a%2Fb")
    assert fresh("/a/b", raw_path=b"/a%5cb")
    assert not fresh("/a/b", raw_path=b"/a/b")


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/api/payments/1", "/api", True),
        ("/api/refund", "/api", True),
        ("/payments/1", "/payments", True),
        ("/payments/api/x", "/api", True),
        ("/other/apipayments/1", "/api", True),
        ("/api/other", "/api/", False),
        ("/api/other", "/api", False),
        ("/other", "/api", False),
        ("/other", "/", False),
    ],
)
def test_paths_below_a_root_path_match_either_way(path: str, root: str, expected: bool) -> None:
    assert fresh(path, root_path=root) is expected


parts = st.sampled_from(["", ".", "..", "payments", "Payments", "refund", "a", "%2e%2e", "payments%2f1", "\\", "x\\y"])
paths = st.lists(parts, max_size=5).map(lambda found: "/" + "/".join(found)) | st.text(max_size=12)
roots = st.sampled_from(["", "/", "/a", "/payments", "/a/", "/a/payments"])


@given(paths, roots, st.booleans())
def test_no_way_to_write_a_fresh_path_is_missed(path: str, root: str, below: bool) -> None:
    """Whatever an app does to the path: joins slashes, resolves dots, decodes once more, takes the root path off."""
    scope = {"type": "http", "path": (root + path if below else path), "root_path": root}
    readings = set()
    for reading in (scope["path"], get_route_path(scope)):
        for text in (reading, unquote(reading), reading.replace("\\", "/"), reading.casefold()):
            readings |= {text, posixpath.normpath("/" + text.lstrip("/"))}
    if any(reading.rstrip("/") in {"/refund", "/payments"} or reading.startswith("/payments/") for reading in readings):
        assert FreshPaths(PATTERNS).match(scope)


@pytest.mark.parametrize(("answer", "expected"), [(True, True), (1, True), ("no", True), (False, False), (None, False)])
def test_a_function_matches_unless_it_says_no(answer: Any, expected: bool) -> None:
    assert fresh("/other", lambda _: answer) is expected
