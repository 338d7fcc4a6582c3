"""What a look over an app brings up: each thing that may be wrong with a route, and what a baseline does with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Security
from quart import Quart
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from gatepost import DAM, Admin, APIKeyMiddleware, APIKeys, BadInputError, Catalogue, requires
from gatepost.coverage import Gap, Needs, coverage_of, gone_from, new_in, prove, read_baseline, write_baseline
from gatepost.testing import assert_guarded


class Shop(Catalogue):
    BUY = "buy things"
    SELL = "sell things"


class WithAccess(Shop):
    ACCESS_READ = "view API keys"
    ACCESS_MANAGE = "manage API keys"


keys = APIKeys("sqlite:///nothing-is-opened.db", catalogue=Shop)
shop_with_access = APIKeys("sqlite:///nothing-is-opened.db", catalogue=WithAccess)
ran: list[str] = []


async def answer(request: Request) -> Response:
    ran.append(request.url.path)
    return PlainTextResponse("")


@requires("BUY")
async def buy(request: Request) -> Response:
    ran.append(request.url.path)
    return PlainTextResponse("")


@requires("FILE_UPLOAD")
async def foreign(request: Request) -> Response:
    return PlainTextResponse("")


def site(*routes: Any, **options: Any) -> Starlette:
    return Starlette(routes=[*routes], middleware=[Middleware(APIKeyMiddleware, keys=keys, **options)])


def found(app: Any) -> list[tuple[str, str]]:
    """The gaps of an app, but for the permissions that it does not ask."""
    return [(gap.code, gap.subject) for gap in coverage_of(app).gaps if gap.code != "unasked"]


def above_in_fastapi() -> Any:
    app = FastAPI(openapi_url=None)

    @requires("BUY")
    @app.post("/things")
    def things() -> None: ...

    app.add_middleware(APIKeyMiddleware, keys=keys)
    return app


def above_in_quart() -> Any:
    app = Quart(__name__, static_folder=None)

    @requires("BUY")
    @app.post("/things")
    async def things() -> str:
        return ""

    return APIKeyMiddleware(app, keys)  # type: ignore[arg-type]  # Quart's scope is a TypedDict


@pytest.mark.parametrize("made", [above_in_fastapi, above_in_quart])
def test_a_guard_above_the_frameworks_decorator_is_said_to_guard_nothing_with_the_line_to_move(
    made: Callable[[], Any],
) -> None:
    gaps = [gap for gap in coverage_of(made()).gaps if gap.code != "unasked"]
    assert [(gap.code, gap.severity, gap.subject) for gap in gaps] == [("guard_above", "error", "POST /things")]
    line = made.__code__.co_firstlineno + 3
    assert gaps[0].place == f"tests/coverage/test_gaps.py:{line}"
    assert gaps[0].remedy.startswith(f"tests/coverage/test_gaps.py:{line}: move @requires below")


def test_scopes_that_nothing_asks_for_are_an_error() -> None:
    app = FastAPI(openapi_url=None)
    app.add_middleware(APIKeyMiddleware, keys=keys)

    async def things() -> None: ...

    app.get("/wrong", dependencies=[Security(requires("BUY"), scopes=["SELL"])])(things)
    app.get("/right", dependencies=[Security(requires, scopes=["BUY", "SELL"])])(things)
    (gap,) = coverage_of(app).gaps
    assert (gap.code, gap.severity, gap.subject) == ("scopes_ignored", "error", "GET /wrong")
    assert "GET /wrong does not ask for SELL" in gap.sentence
    with pytest.raises(AssertionError, match="Security\\(requires, scopes="):
        assert_guarded(app)


def test_a_function_that_is_one_route_as_it_is_and_another_one_guarded_is_no_mistake() -> None:
    async def plain(request: Request) -> Response:
        return await answer(request)

    app = site(Route("/open", plain), Route("/guarded", requires("BUY")(plain)))
    assert found(app) == [("key_only", "GET /open")]


def test_what_needs_less_than_a_permission_is_told_apart() -> None:
    def opened(scope: Scope) -> bool:
        return bool(scope["path"] == "/by-function")

    app = Starlette(
        routes=[
            Mount(
                "/in",
                site(
                    Route("/health", answer),
                    Route("/public/logo", answer),
                    Route("/by-function", answer),
                    Route("/{name}", answer),
                    Route("/{name}/deep", answer),
                    Route("/buy", buy),
                    exempt=["/health", "/old", "/public/*", "/gone/x/*", opened],
                ),
            ),
            Mount("/out", Starlette(routes=[Route("/x", answer)])),
            Mount("/either", site(Route("/x", answer), Route("/buy", buy), optional=True)),
        ]
    )
    looked = coverage_of(app)
    assert {route.subject: needs for route, needs in looked.routes} == {
        "GET /in/health": Needs.EXEMPT,
        "GET /in/public/logo": Needs.EXEMPT,
        "GET /in/by-function": Needs.EXEMPT,
        "GET /in/{name}": Needs.PARTLY,
        "GET /in/{name}/deep": Needs.PARTLY,
        "GET /in/buy": Needs.PERMISSIONS,
        "GET /out/x": Needs.OPEN,
        "GET /either/x": Needs.OPTIONAL,
        "GET /either/buy": Needs.PERMISSIONS,
    }
    assert found(app) == [
        ("open", "GET /out/x"),
        ("key_only", "GET /in/{name}"),
        ("key_only", "GET /in/{name}/deep"),
        ("optional", "GET /either/x"),
        ("partly_exempt", "GET /in/{name}"),
        ("partly_exempt", "GET /in/{name}/deep"),
        ("exempt", "GET /in/health"),
        ("exempt", "GET /in/public/logo"),
        ("exempt", "GET /in/by-function"),
        ("dead_exempt", "/gone/x/*"),
    ]


def test_a_function_of_exempt_that_raises_or_that_cannot_be_asked_leaves_it_open_and_says_so() -> None:
    def raising(scope: Scope) -> bool:
        raise KeyError("tenant")

    assert found(site(Route("/x", answer), exempt=[raising])) == [("key_only", "GET /x"), ("partly_exempt", "GET /x")]


def test_a_baseline_or_exception_of_a_route_that_is_exempt_in_part_does_not_cover_its_guard_once_that_is_lost() -> None:
    guarded, lost = (site(Route("/files/{id}", each), exempt=["/files/open"]) for each in (buy, answer))
    (gap,) = [gap for gap in coverage_of(guarded).gaps if gap.code != "unasked"]
    assert (gap.code, gap.subject) == ("partly_exempt", "GET /files/{id}")
    assert "everybody is refused" in gap.sentence
    assert TestClient(guarded).get("/files/open").status_code == 403, "so it is guarded there too"
    assert_guarded(guarded)
    with pytest.raises(AssertionError, match=r"except_for has 'GET /files/\{id\}', which is guarded"):
        assert_guarded(guarded, except_for=["GET /files/{id}"])
    accepted = {gap.code: [gap.subject], "unasked": ["SELL", "BUY"]}
    assert not new_in(coverage_of(guarded).gaps, accepted)
    assert TestClient(lost).get("/files/open").status_code == 200
    assert [(each.code, each.subject) for each in new_in(coverage_of(lost).gaps, accepted)] == [
        ("key_only", "GET /files/{id}")
    ]
    with pytest.raises(AssertionError, match=r"GET /files/\{id\} needs a key, but for exempt paths"):
        assert_guarded(lost)


def test_a_mount_that_is_exempt_in_part_and_asks_is_another_gap_than_one_that_asks_nothing() -> None:
    for exempt, root in ((["/metrics"], "exempt at /metrics"), (["/metrics/*"], "exempt at /metrics/*")):
        (gap,) = [gap for gap in coverage_of(guarded_mount(exempt)).gaps if gap.code != "unasked"]
        assert (gap.code, gap.severity, gap.subject) == ("exempt_refuses", "error", "APP /metrics/*")
        assert f"{root} and asks for BUY" in gap.sentence
    refused = TestClient(guarded_mount(["/metrics/*"])).get("/metrics/x")
    assert refused.status_code == 403
    whole = guarded_mount(["/metrics/deep"])
    assert found(whole) == [("partly_exempt", "APP /metrics/*")]
    bare = site(Mount("/metrics", page), exempt=["/metrics/deep"])
    assert found(bare) == [("opaque", "APP /metrics/*"), ("partly_exempt", "APP /metrics/*")]


def guarded_mount(exempt: list[str]) -> Starlette:
    """A page that asks for a permission, whatever it is asked for."""

    @requires("BUY")
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        await page(scope, receive, send)

    return site(Mount("/metrics", guarded), exempt=exempt)


def test_an_exempt_path_that_has_a_route_of_its_own_does_not_open_the_one_beside_it() -> None:
    routes = Route("/items/new", answer), Route("/items/{id}", buy)
    assert found(site(*routes, exempt=["/items/new"])) == [("exempt", "GET /items/new")]
    assert found(site(routes[1], exempt=["/items/new"])) == [("partly_exempt", "GET /items/{id}")]


def test_an_exempt_path_opens_the_route_beside_it_by_the_methods_that_its_own_route_does_not_take() -> None:
    def needs(*fixed: Any) -> Needs:
        both = Route("/files/{id}", buy, methods=["GET", "DELETE"])
        app = site(*fixed, both, exempt=["/files/status"])
        if "DELETE" not in {method for each in fixed for method in getattr(each, "methods", None) or ()}:
            code = TestClient(app).delete("/files/status").status_code
            assert code == (405 if fixed and fixed[-1].methods is None else 403), (
                "the other route is asked, without a key"
            )
        return {route.path: needs for route, needs in coverage_of(app).routes}["/files/{id}"]

    class Status(HTTPEndpoint):
        async def get(self, request: Request) -> Response:
            return await answer(request)

    status = Route("/files/status", answer)
    assert needs(status) is Needs.ASKED_PARTLY
    assert needs(WebSocketRoute("/files/status", answer), status) is Needs.ASKED_PARTLY
    assert needs(status, Route("/files/status", answer, methods=["DELETE"])) is Needs.PERMISSIONS
    assert needs(Route("/files/status", Status)) is Needs.PERMISSIONS, "a class answers 405 itself"


def test_an_exempt_path_opens_the_route_beside_it_where_its_own_route_may_not_be_asked_first() -> None:
    new, item = Route("/items/new", answer), Route("/items/{id}", buy)

    class Switch:
        def __init__(self, *apps: Any) -> None:
            self.apps = apps

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def needs(app: Any) -> Needs:
        (found,) = [needs for route, needs in coverage_of(app).routes if route.path == "/items/{id}"]
        return found

    assert needs(site(item, new, exempt=["/items/new"])) is Needs.ASKED_PARTLY
    other_host = Host("a.example.org", Router(routes=[new]))
    assert needs(site(other_host, item, exempt=["/items/new"])) is Needs.ASKED_PARTLY
    assert needs(site(Host("a.example.org", Router(routes=[new, item])), exempt=["/items/new"])) is Needs.PERMISSIONS
    assert needs(site(new, Host("a.example.org", Router(routes=[item])), exempt=["/items/new"])) is Needs.PERMISSIONS
    either = Switch(Starlette(routes=[new]), Starlette(routes=[item]))
    assert needs(APIKeyMiddleware(either, keys, exempt=["/items/new"])) is Needs.ASKED_PARTLY


async def test_a_proof_is_held_against_what_was_said_before_the_app_was_put_together() -> None:
    built: list[bool] = []

    class Last:
        def __init__(self, app: Any) -> None:
            self.app = app
            built.append(True)

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    app = site(Route("/x", answer), exempt=[lambda _scope: bool(built)])
    app.add_middleware(Last)
    app.user_middleware.reverse()
    looked = coverage_of(app)
    assert [needs for _, needs in looked.routes] == [Needs.KEY]
    proved = await prove(app, looked)
    assert [(*proved.proofs.values(),), proved.gaps[0].code] == [("let in",), "disproved"]
    assert "should need a key, but a request without a key was let in" in proved.gaps[0].sentence


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """An app with one page, at whatever path of its own, as prometheus_client's is."""
    await PlainTextResponse("page")(scope, receive, send)


METRICS = ("/metrics", "/metrics/", "/metrics/x")


@pytest.mark.parametrize(
    ("exempt", "statuses", "needs", "sentence", "remedy"),
    [
        (
            ["/metrics", "/metrics/"],
            [307, 200, 401],
            Needs.PARTLY,
            "APP /metrics/* is exempt at /metrics and /metrics/ alone",
            'these are enough. "/metrics/*" beside them in exempt= opens all of it',
        ),
        (
            ["/metrics"],
            [307, 401, 401],
            Needs.PARTLY,
            "APP /metrics/* is exempt at /metrics alone",
            'exempt=["/metrics", "/metrics/"]',
        ),
        (
            ["/metrics/*"],
            [401, 401, 200],
            Needs.PARTLY,
            "APP /metrics/* is exempt below /metrics/, and needs a key at /metrics and /metrics/",
            'exempt=["/metrics", "/metrics/", "/metrics/*"]',
        ),
        (
            ["/metrics/*", "/metrics/"],
            [401, 200, 200],
            Needs.PARTLY,
            "APP /metrics/* is exempt below /metrics/, and needs a key at /metrics",
            'exempt=["/metrics", "/metrics/", "/metrics/*"]',
        ),
        (["/metrics", "/metrics/", "/metrics/*"], [307, 200, 200], Needs.EXEMPT, "is exempt: no key is asked", ""),
    ],
)
async def test_what_is_exempt_of_a_mount_is_told_as_requests_find_it(
    exempt: list[str], statuses: list[int], needs: Needs, sentence: str, remedy: str
) -> None:
    app = site(Mount("/metrics", page), exempt=exempt)
    client = TestClient(app, follow_redirects=False)
    assert [client.get(path).status_code for path in METRICS] == statuses
    looked = await prove(app, coverage_of(app))
    assert [needs for _, needs in looked.routes] == [needs]
    (gap,) = [gap for gap in looked.gaps if gap.code != "unasked"]
    assert (gap.severity, gap.subject) == ("note", "APP /metrics/*")
    assert sentence in gap.sentence
    assert remedy in gap.remedy


def test_a_route_of_its_own_before_a_mount_is_not_the_mounts() -> None:
    routes = Route("/metrics", buy), Mount("/metrics", page)
    assert found(site(*routes, exempt=["/metrics/", "/metrics/*"])) == [("exempt", "APP /metrics/*")]
    assert found(Starlette(routes=[Mount("/in", site(Mount("/", page), exempt=["/", "/*"]))])) == [
        ("exempt", "APP /in/*")
    ]
    assert found(Starlette(routes=[Mount("/in", site(Mount("/", page), exempt=["/*"]))])) == [
        ("partly_exempt", "APP /in/*")
    ]


def test_the_paths_of_an_own_app_and_of_mounts_are_no_dead_entries() -> None:
    mounts = Mount("/settings/api-keys", Admin(shop_with_access)), Mount("/metrics", page)
    within = Mount("/in", routes=[Route("/x", answer)])
    paths = [*Admin.paths("/settings/api-keys"), "/metrics", "/metrics/", *Admin.paths("/in")]
    assert "dead_exempt" not in {code for code, _ in found(site(*mounts, within, exempt=paths))}
    gone = [*Admin.paths("/gone"), "/metrics", "/in/y"]
    dead = [subject for code, subject in found(site(*mounts, within, exempt=gone)) if code == "dead_exempt"]
    assert dead == ["/gone", "/gone/", "/in/y", "/gone/*"]


def test_what_can_let_nobody_in_is_an_error() -> None:
    others = APIKeys("sqlite:///others.db", catalogue=Shop)
    twice = APIKeyMiddleware(site(Route("/x", buy)), others)
    assert found(site(Route("/x", buy), exempt=["/x"])) == [("exempt_refuses", "GET /x")]
    assert found(site(Route("/x", foreign))) == [("foreign_permission", "GET /x FILE_UPLOAD")]
    assert found(twice) == [("two_keys", "GET /x")]
    (gap,) = [gap for gap in coverage_of(Starlette(routes=[Route("/x", buy)])).gaps if gap.code == "open"]
    assert "answers 500 to everybody" in gap.sentence


def test_permissions_that_no_route_asks_are_named() -> None:
    assert [(gap.code, gap.subject) for gap in coverage_of(site(Route("/x", buy))).gaps] == [("unasked", "SELL")]


def test_of_the_built_in_catalogue_which_nobody_can_edit_no_permission_is_said_to_be_unasked() -> None:
    class Own(DAM):
        BUY = "buy things"
        SELL = "sell things"

    def unasked(catalogue: type[Catalogue]) -> list[str]:
        app = APIKeyMiddleware(Starlette(routes=[Route("/x", buy)]), APIKeys("sqlite:///none.db", catalogue=catalogue))
        return [gap.subject for gap in coverage_of(app).gaps if gap.code == "unasked"]

    assert unasked(DAM) == []
    assert unasked(Own) == ["SELL"]
    assert unasked(WithAccess) == ["SELL"], "what manages keys is asked by gatepost's own apps, wherever they are"


async def test_a_probe_runs_no_handler_whatever_is_open() -> None:
    app = Starlette(
        routes=[
            Mount("/in", site(Route("/x", answer, methods=["DELETE"]), Route("/health", answer), exempt=["/health"])),
            Mount("/either", site(Route("/x", answer), optional=True)),
            Route("/out", answer),
        ]
    )
    ran.clear()
    proved = await prove(app, coverage_of(app))
    assert {route.subject: proof for route, proof in proved.proofs.items()} == {
        "DELETE /in/x": "refused",
        "GET /in/health": "let in",
        "GET /either/x": "let in",
        "GET /out": "not asked: nothing stands before the handler",
    }
    assert ran == []
    assert APIKeyMiddleware._enter.__qualname__ == "APIKeyMiddleware._enter", "as it was"


def earlier() -> Any:
    open_one = Route("/files/{id}", answer, methods=["GET", "DELETE"])
    return Starlette(routes=[open_one, Mount("/files", site(Route("/{id}", buy, methods=["DELETE"])))])


def fewer() -> Any:
    inner = APIKeyMiddleware(Starlette(routes=[Route("/{id}", buy)]), keys, exempt=["/files/*"])
    return site(Route("/files/{id}", answer), Mount("/files", inner), exempt=["/files/*"])


def chosen() -> Any:
    class Switch:
        def __init__(self, *apps: Any) -> None:
            self.apps = apps

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.apps[1](scope, receive, send)

    return Switch(site(Route("/files/{id}", buy)), Starlette(routes=[Route("/files/{name}", answer)]))


def hosts() -> Any:
    within = Host("a.example.org", site(Route("/x", buy)))
    pattern = Host("{name}.example.org", site(Route("/y", buy)))
    return Starlette(routes=[within, pattern, Route("/x", answer), Route("/y", answer)])


@pytest.mark.parametrize(
    ("made", "proofs"),
    [
        (earlier, {"DELETE /files/{id}": "not asked: DELETE,GET /files/{id} may answer in its place"}),
        (fewer, {"GET /files/{id}": "not asked: GET /files/{id} may answer in its place"}),
        (chosen, {"GET /files/{id}": "not asked: GET /files/{name} may answer in its place"}),
        (
            hosts,
            {"GET a.example.org/x": "refused", "GET {name}.example.org/y": "not asked: no host of it is known"},
        ),
    ],
    ids=["earlier", "fewer", "chosen", "hosts"],
)
async def test_a_probe_runs_no_handler_that_may_be_asked_in_the_place_of_a_guarded_one(
    made: Callable[[], Any], proofs: dict[str, str]
) -> None:
    app = made()
    ran.clear()
    proved = await prove(app, coverage_of(app))
    assert ran == []
    told = {route.subject: proof for route, proof in proved.proofs.items() if buy.__qualname__ in route.handler}
    assert told == proofs
    assert not [gap for gap in proved.gaps if gap.code == "disproved"]


async def test_a_probe_goes_through_each_of_several_middlewares() -> None:
    inner = APIKeyMiddleware(Starlette(routes=[Route("/x", answer), Route("/y", answer)]), keys, exempt=["/x"])
    app = APIKeyMiddleware(inner, keys, exempt=["/x", "/y"])
    ran.clear()
    proved = await prove(app, coverage_of(app))
    assert {route.subject: proof for route, proof in proved.proofs.items()} == {"GET /x": "let in", "GET /y": "refused"}
    assert ran == []


async def test_a_probe_disproves_what_is_not_as_it_looks_and_says_what_it_could_not_prove() -> None:
    inner = site(Route("/x", answer), exempt=["/open"])

    async def rewriting(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, "path": "/open"}, receive, send)

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/x":
            raise RuntimeError("no state")
        await inner(scope, receive, send)

    proved = await prove(rewriting, coverage_of(rewriting))
    assert [gap.code for gap in proved.gaps][:1] == ["disproved"]
    assert "but a request without a key was let in" in proved.gaps[0].sentence
    proved = await prove(failing, coverage_of(failing))
    assert list(proved.proofs.values()) == ["not proved: RuntimeError: no state"]


def test_a_baseline_takes_what_there_is_and_tells_what_is_new_and_what_is_gone(tmp_path: Path) -> None:
    before = coverage_of(site(Route('/a"\\\x7fé', answer), Route("/b", buy))).gaps
    after = coverage_of(site(Route("/b", buy), Route("/c", answer))).gaps
    file = tmp_path / "baseline.toml"
    write_baseline(file, before, "main:app")
    accepted = read_baseline(file)
    assert new_in(before, accepted) == []
    assert gone_from(before, accepted) == []
    assert [(gap.code, gap.subject) for gap in new_in(after, accepted)] == [("key_only", "GET /c")]
    assert gone_from(after, accepted) == ['key_only: GET /a"\\\x7fé']
    twice = coverage_of(site(Route("/c", answer), Route("/c", answer))).gaps
    assert [gap.subject for gap in new_in(twice, {"key_only": ["GET /c"]}) if gap.code == "key_only"] == ["GET /c"]
    assert gone_from(after, {"key_only": ["GET /c", "GET /c"]}) == ["key_only: GET /c"]
    assert new_in([Gap("unheld", "note", "BUY", "", "")], accepted) == [], "keys are no business of a baseline"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("key_only = [", "is not TOML"),
        ('keyonly = ["GET /"]', "'keyonly' is none of the things that coverage finds; did you mean key_only?"),
        ('key_only = "GET /"', 'key_only must be a list of texts, such as ["GET /me"]'),
        ("key_only = [1]", "key_only must be a list of texts"),
    ],
)
def test_a_baseline_that_cannot_be_read_is_one_clear_error(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "baseline.toml"
    file.write_text(text)
    with pytest.raises(BadInputError) as raised:
        read_baseline(file)
    assert told in str(raised.value)
    with pytest.raises(BadInputError, match=r"there is no file .* Make it with --write-baseline"):
        read_baseline(tmp_path / "none.toml")
    with pytest.raises(BadInputError, match="cannot be written"):
        write_baseline(tmp_path / "no" / "folder.toml", [], "main:app")
