"""`requires(on=...)`: what it takes, what cannot be told, and that who is not limited pays nothing."""

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from starlette.requests import HTTPConnection, Request

from gatepost import BadInputError, requires
from gatepost.asgi.permission_check import PermissionCheck
from gatepost.asgi.touched import Touched
from gatepost.base.resources import granted
from tests.benchmarks.executed import bytecodes, calls

LIMITED = granted(frozenset({"FILE_UPLOAD", "DIR_CREATE"}), ("dir:/a/*", "id:1b4e28ba-2fa1-11d2-883f-0016d3cca427"))


def refusal(on: Any, parameters: Any, arguments: Any = None, permissions: frozenset[str] = LIMITED) -> bool:
    """Whether a call is refused."""
    check = PermissionCheck(frozenset({"FILE_UPLOAD"}), frozenset(), Touched.checked(on))
    scope = {"type": "http", "headers": [], "permissions": permissions}
    return check.judge(scope | ({} if parameters is None else {"path_params": parameters}), arguments or {}) is not None


@pytest.mark.parametrize(
    ("on", "parameters", "is_refused"),
    [
        ("dir:/a/{name}", {"name": "x"}, False),
        ("dir:/{top}/{name}", {"top": "a", "name": "x"}, False),
        ("dir:/{top}/{name}", {"top": "a/..", "name": "b"}, True),
        ("dir:/a/{name}", {"name": "../b"}, True),
        ("dir:/a/{name}", {"name": ""}, True),
        ("dir:/a/{name}", {}, True),
        ("dir:/a/{name}", {"name": None}, True),
        ("dir:/a/{name}", {"name": True}, True),
        ("dir:/a/{name}", {"name": ["x"]}, True),
        ("dir:/a/{name}", {"name": 7}, False),
        ("dir:/a/{name}", None, True),
        ("id:{id}", {"id": UUID("1b4e28ba-2fa1-11d2-883f-0016d3cca427")}, False),
        ("dir:/a/x", {}, False),
        (["dir:/a/{name}", "dir:/a/y"], {"name": "x"}, False),
        (["dir:/a/{name}", "dir:/b/y"], {"name": "x"}, True),
        ((), {}, False),
        (None, {"name": "x"}, True),
        (lambda _: "dir:/a/x", {}, False),
        (lambda _: ["dir:/a/x", "dir:/b"], {}, True),
        (lambda _: [], {}, True),
        (lambda _: (), {}, True),
        (lambda _: None, {}, True),
        (lambda _: 7, {}, True),
        (lambda _: [7], {}, True),
        (lambda _: b"dir:/a/x", {}, True),
        (lambda _: "", {}, True),
        (lambda connection: connection.headers["x-place"], {}, True),
        (lambda connection: f"dir:/a/{int(connection.path_params['name'])}", {"name": "x"}, True),
    ],
)
def test_what_is_touched_and_what_cannot_be_told(on: Any, parameters: Any, is_refused: bool) -> None:
    assert refusal(on, parameters) is is_refused
    assert not refusal(on, parameters, permissions=frozenset({"FILE_UPLOAD"})), "who is not limited is not asked"
    assert refusal(on, parameters, permissions=frozenset())


def test_parameters_of_the_handler_are_asked_only_where_the_scope_has_none() -> None:
    assert not refusal("dir:/a/{name}", None, {"name": "x"})
    assert refusal("dir:/a/{name}", {}, {"name": "x"})
    assert refusal("dir:/{name}", {"name": "b"}, {"name": "a/x"}), (
        "what a caller sends as a body or query is not believed"
    )


def test_what_datasette_writes_with_a_tilde_is_read_as_its_handlers_read_it() -> None:
    def is_refused(**entry: Any) -> bool:
        check = PermissionCheck(frozenset({"FILE_UPLOAD"}), frozenset(), Touched.checked("dir:/a/{name}"))
        return check.judge({"type": "http", "permissions": LIMITED, "url_route": entry}) is not None

    assert not is_refused(kwargs={"name": "x~2Etxt"})
    assert is_refused(kwargs={"name": "~2E~2E/b"})
    assert not is_refused(args=(), kwargs={"name": "~2E~2E/b"}), "Channels has decoded it"


def test_a_function_that_would_have_to_be_waited_for_is_refused_at_once() -> None:
    async def place(_: HTTPConnection) -> str:
        return "dir:/a/x"

    with pytest.raises(BadInputError, match="is async"):
        requires("FILE_UPLOAD", on=place)


def test_an_error_of_the_apps_function_is_the_apps() -> None:
    def broken(_: HTTPConnection) -> str:
        raise RuntimeError("of the app")

    with pytest.raises(RuntimeError, match="of the app"):
        refusal(broken, {})


def test_one_of_several_permissions_is_enough_where_it_holds() -> None:
    held = granted(frozenset({"FILE_UPLOAD", "DIR_CREATE"}), None, {"FILE_UPLOAD": ("dir:/a/*",)})
    touched = Touched.checked("dir:/{name}")
    for names, path, is_refused in (
        ({"FILE_UPLOAD", "DIR_CREATE"}, "b", False),
        ({"FILE_UPLOAD", "FILE_DELETE"}, "b", True),
        ({"FILE_UPLOAD", "FILE_DELETE"}, "a/x", False),
    ):
        scope = {"type": "http", "permissions": held, "path_params": {"name": path}}
        any_of = PermissionCheck(frozenset(), frozenset(names), touched)
        assert (any_of.judge(scope) is not None) is is_refused
        all_of = PermissionCheck(frozenset({"FILE_UPLOAD", "DIR_CREATE"}), frozenset(), touched)
        assert (all_of.judge(scope) is not None) is (path == "b")


@pytest.mark.parametrize(
    ("on", "told"),
    [
        (7, "on must be a text such as 'dir:/{path}', or a function of the request, not 7"),
        ([7], "on must be a text"),
        ("", "must be a kind, a colon and a name"),
        ("{path}", "must be a kind, a colon and a name"),
        ("{kind}:{path}", "must be a kind, a colon and a name"),
        ("dir:/{path!r}", "must be a kind"),
        ("dir:/{path:>5}", "must be a kind"),
        ("dir:/{}", "must be a kind"),
        ("dir:/{path.parent}", "must be a kind"),
        ("dir:/{path", "must be a kind"),
        ("Dir:/{path}", "the kind in lower case"),
        ("dir:/{path}/", "must be written as it is compared"),
        ("dir:/../{path}", "names nothing for certain"),
        ("dir:/a*/{path}", "has a * within"),
    ],
)
def test_bad_input_is_told_as_the_route_is_decorated(on: Any, told: str) -> None:
    with pytest.raises(BadInputError) as caught:
        requires("FILE_UPLOAD", on=on)
    assert told in str(caught.value)


def test_who_is_not_limited_pays_nothing_for_it() -> None:
    def handler(request: Request) -> None: ...

    def counted(guarded: Callable[[Request], None]) -> tuple[Counter[str], int]:
        request = Request({"type": "http", "headers": [], "permissions": frozenset({"FILE_UPLOAD"})})
        guarded(request)
        called = calls(lambda: guarded(request))
        return called, 0 if sys.version_info >= (3, 12) else bytecodes(
            lambda: guarded(request)
        )  # it tells no whole count

    told, plain = counted(requires("FILE_UPLOAD", on="dir:/{path}")(handler)), counted(requires("FILE_UPLOAD")(handler))
    assert told == plain
    assert plain[0].total() > 0
    assert plain[1] > 0 or sys.version_info >= (3, 12)
