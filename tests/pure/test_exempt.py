"""Exempt paths: exactly those that the patterns say, however the path is written."""

import functools
import posixpath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette._utils import get_route_path

from gatepost.asgi.routes.exempt import Exemptions
from gatepost.base.errors import BadInputError

PATTERNS = ["/health", "/public/*", "/public/deep/*", "/slash/", "/café"]


def exempt(path: str, *patterns: Any, **scope: Any) -> bool:
    """Whether a request for `path` needs no key."""
    return Exemptions(patterns).match({"type": "http", "path": path, **scope})


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/slash/",
        "/café",
        "/public/a",
        "/public/a/b",
        "/public/a/",
        "/public/a.b",
        "/public/...",
        "/public/.a",
        "/public/é",
        "/public/a b",
        "/public/%2e%2e",
        "/public/*",
        "/public/deep",
        "/public/deep/",
        "/public/deep/x",
    ],
)
def test_what_a_pattern_says_is_exempt(path: str) -> None:
    assert exempt(path, *PATTERNS)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "*",
        "health",
        "/healthz",
        "/health/",
        "/health/x",
        "/Health",
        "//health",
        "/health//",
        "/./health",
        "/x/../health",
        "/health/../admin",
        "/health\\",
        "/health\n",
        "/health\0",
        "/health ",
        "/health?x",
        "/health;x",
        "/slash",
        "/slash//",
        "/public",
        "/public/",
        "/publicity",
        "/PUBLIC/a",
        "//public/a",
        "/public//",
        "/public//a",
        "/public/a//b",
        "/public/a//",
        "/public/.",
        "/public/..",
        "/public/./",
        "/public/../",
        "/public/../admin",
        "/public/./a",
        "/public/a/../../admin",
        "/public/a/..",
        "/public/a/.",
        "/public/..\\admin",
        "/public/\\",
        "/public/a\nb",
        "/public/a\0",
        "/public/a\x7f",
        "/public/\ud800",
        "/public/\u2028",
        "http://host/public/a",
        "/x/public/a",
        "/cafe\u0301",
    ],
)
def test_what_no_pattern_says_needs_a_key(path: str) -> None:
    assert not exempt(path, *PATTERNS)


def test_a_prefix_opens_what_another_prefix_names_but_no_prefix_opens_itself() -> None:
    assert exempt("/a/b/", "/a/*", "/a/b/*")
    assert not exempt("/a/b/", "/a/b/*")
    assert not exempt("/a/", "/a/*", "/a/b/*")


def test_the_root_prefix_opens_all_but_the_root_itself() -> None:
    assert exempt("/a", "/*")
    assert not exempt("/", "/*")
    assert exempt("/", "/")
    for path in ("//", "/..", "/.", "/../a", "//a"):
        assert not exempt(path, "/*", "/")


segments = st.sampled_from(["", ".", "..", "public", "health", "deep", "a", "a\\b", "%2e%2e", "\x00", "..."])
paths = st.lists(segments, min_size=1, max_size=6).map(lambda parts: "/" + "/".join(parts)) | st.text(max_size=12)


@given(paths)
def test_a_path_that_an_exact_pattern_opens_is_that_pattern(path: str) -> None:
    patterns = ["/health", "/a/deep", "/public/"]
    assert exempt(path, *patterns) == (path in patterns)


@given(paths, st.sampled_from(["/", "/public/", "/public/deep/", "/a/"]))
def test_a_path_that_a_prefix_opens_normalises_to_something_below_it(path: str, prefix: str) -> None:
    if not exempt(path, prefix + "*"):
        return
    normal = posixpath.normpath(path)
    assert normal.startswith(prefix)
    assert len(normal) > len(prefix)
    assert normal == path.removesuffix("/")
    assert "\\" not in path


roots = (
    st.lists(st.sampled_from(["app", "public", "a", "health"]), max_size=2).map("/".join).map(lambda r: r and "/" + r)
)


@given(paths, roots, roots, st.sampled_from(["", "/"]))
def test_what_is_exempt_under_a_root_path_is_exempt_as_the_framework_routes_it(
    path: str, root: str, front: str, end: str
) -> None:
    scope = {"type": "http", "path": front + path, "root_path": root + end}
    if Exemptions(PATTERNS).match(scope):
        assert exempt(get_route_path(scope), *PATTERNS)


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/app/health", "/app", True),
        ("/app/public/x", "/app", True),
        ("/health", "/app", True),
        ("/health", "", True),
        ("/health", "/", True),
        ("/health", "/health", False),
        ("/health/health", "/health", True),
        ("/public/x", "/public", False),
        ("/application/health", "/app", False),
        ("/app/healthz", "/app", False),
        ("/app/app/health", "/app", False),
        ("/app//health", "/app", False),
        ("/app/../health", "/app", False),
        ("/app/public/../admin", "/app", False),
        ("/public/app/admin", "/app", False),
        ("/app/health", "/app/", False),
    ],
)
def test_patterns_are_below_the_root_path(path: str, root: str, expected: bool) -> None:
    assert exempt(path, *PATTERNS, root_path=root) is expected


def test_no_pattern_opens_nothing() -> None:
    assert not Exemptions([])
    assert not exempt("/")
    assert not exempt("")


def test_a_function_of_the_scope_decides_on_the_whole_scope() -> None:
    def is_preflight(scope: Any) -> bool:
        return bool(scope.get("method") == "OPTIONS")

    assert Exemptions([is_preflight])
    assert exempt("/x/../y", is_preflight, method="OPTIONS")
    assert not exempt("/x", is_preflight, method="GET")
    assert exempt("/health", is_preflight, "/health", method="GET")


@pytest.mark.parametrize("answer", [None, 0, 1, "", "yes", object()])
def test_only_true_opens(answer: Any) -> None:
    assert not exempt("/", lambda _: answer)


async def an_async_function(scope: Any) -> bool:
    """Would be true as an object, whatever it answers."""
    return False


class AnAsyncCallable:
    """As the function."""

    async def __call__(self, scope: Any) -> bool:
        return bool(scope)


@pytest.mark.parametrize(
    "function", [an_async_function, AnAsyncCallable(), functools.partial(an_async_function), AnAsyncCallable().__call__]
)
def test_an_async_function_is_refused_and_opens_nothing(function: Any) -> None:
    with pytest.raises(BadInputError, match="is async"):
        Exemptions([function])
    coroutine = function({})
    assert not exempt("/", lambda _: coroutine)
    coroutine.close()


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("", "must begin with '/'"),
        ("health", "must begin with '/'"),
        ("*", "must begin with '/'"),
        ("/public*", "only as its whole last segment"),
        ("/*/admin", "only as its whole last segment"),
        ("/a/**", "only as its whole last segment"),
        ("/a/*/*", "only as its whole last segment"),
        ("//", "could never match"),
        ("//health", "could never match"),
        ("/a//b", "could never match"),
        ("/a/../b", "could never match"),
        ("/./*", "could never match"),
        ("/a//*", "could never match"),
        ("/a\\b", "could never match"),
        ("/a\n", "could never match"),
        (5, "neither a path nor a function"),
        (None, "neither a path nor a function"),
        (b"/health", "neither a path nor a function"),
    ],
)
def test_a_bad_pattern_is_refused_and_named(pattern: Any, named: str) -> None:
    with pytest.raises(BadInputError, match=named) as caught:
        Exemptions(["/health", pattern])
    assert repr(pattern) in str(caught.value)


def test_a_single_text_is_no_list_of_paths() -> None:
    with pytest.raises(BadInputError, match=r"write \['/health'\]"):
        Exemptions("/health")


@given(st.text(max_size=12) | st.text("/.*a", max_size=8))
def test_a_pattern_that_is_taken_can_match(pattern: str) -> None:
    try:
        exemptions = Exemptions([pattern])
    except BadInputError:
        return
    path = pattern.removesuffix("*") + ("x" if pattern.endswith("*") else "")
    assert exemptions.match({"path": path})
