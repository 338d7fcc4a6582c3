"""The middleware's options: exempt, optional, project, on_error, sources, realm."""

from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import (
    APIKeyMiddleware,
    APIKeys,
    BadInputError,
    Bearer,
    Header,
    Outcome,
    Problem,
    Query,
    Subprotocol,
    requires,
)
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, Headers, ask, bearer, http_scope, websocket_scope
from tests.frameworks.contract import INVENTED

pytestmark = pytest.mark.usefixtures("either_way")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers what it sees; accepts WebSockets with the first subprotocol that is offered."""
    if scope["type"] == "websocket":
        await receive()
        offered = scope["subprotocols"]
        headers = [value for name, value in scope["headers"] if name == b"sec-websocket-protocol"]
        await send({"type": "websocket.accept", "subprotocol": offered[0] if offered else None, "headers": []})
        await send({"type": "websocket.send", "text": orjson.dumps([offered, [v.decode() for v in headers]]).decode()})
        return
    seen = {
        "id": scope["api_key"] and scope["api_key"].id,
        "permissions": sorted(scope["permissions"]),
        "authenticated": scope["user"].is_authenticated,
        "auth": list(scope["auth"].scopes),
        "query": scope["query_string"].decode(),
        "headers": [name.decode() for name, _ in scope["headers"]],
    }
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": orjson.dumps(seen)})


async def status(app: ASGIApp, path: str, headers: Headers = (), **entries: Any) -> int:
    return (await ask(app, http_scope(path, headers, **entries))).status_code


NOBODY: dict[str, Any] = {"id": None, "permissions": [], "authenticated": False, "auth": []}


# exempt


async def test_an_exempt_path_opens_itself_and_nothing_else(keys: APIKeys) -> None:
    exempting = APIKeyMiddleware(app, keys, exempt=["/health"])
    assert await status(exempting, "/health") == 200
    others = [
        "/",
        "",
        "/healthz",
        "/health/",
        "//health",
        "/health//",
        "/Health",
        "/health/../admin",
        "/health/%2e%2e/admin",
        "/health%2f..%2fadmin",
        "/%68ealth",
        "/./health",
        "/admin/../health",
        "/health;x",
        "/health?x",
        "/health\x00",
        "/health ",
        "\\health",
        "/admin#/health",
        "http://testserver/health",
        "health",
    ]
    assert {path: await status(exempting, path) for path in others} == dict.fromkeys(others, 401)


async def test_an_exempt_prefix_opens_what_lies_below_it_and_nothing_else(keys: APIKeys) -> None:
    exempting = APIKeyMiddleware(app, keys, exempt=["/public/*"])
    below = ["/public/a", "/public/a/b", "/public/a/", "/public/a.b", "/public/..a", "/public/é"]
    assert {path: await status(exempting, path) for path in below} == dict.fromkeys(below, 200)
    others = [
        "/public",
        "/public/",
        "/publicity/a",
        "/public/../admin",
        "/public/..",
        "/public/./a",
        "/public//admin",
        "/public/a//",
        "/public/..\\admin",
        "/public/\x00",
        "/public/a\n",
        "//public/a",
        "/PUBLIC/a",
        "/a/public/a",
        "/./public/a",
        "/a/../public/a",
    ]
    assert {path: await status(exempting, path) for path in others} == dict.fromkeys(others, 401)


async def test_a_function_of_the_scope_can_exempt(keys: APIKeys) -> None:
    exempting = APIKeyMiddleware(app, keys, exempt=[lambda scope: scope["method"] == "OPTIONS"])
    assert await status(exempting, "/any", method="OPTIONS") == 200
    assert await status(exempting, "/any") == 401


async def test_exempt_paths_are_matched_below_the_root_path(keys: APIKeys) -> None:
    exempting = APIKeyMiddleware(app, keys, exempt=["/health", "/public/*"])
    for path in ("/api/health", "/api/public/a"):
        assert await status(exempting, path, root_path="/api") == 200
        assert await status(exempting, path, root_path="/api/") == 401, "Starlette keeps such a root in the path"
    for path in ("/api/api/health", "/apihealth", "/public/api/admin", "/public/apiary", "/api", "/health/api"):
        assert await status(exempting, path, root_path="/api") == 401, path
    assert await status(exempting, "/health", root_path="/api") == 200, "the proxy has taken the root path off"


async def test_exempt_paths_are_those_that_starlette_routes_inside_a_mount(keys: APIKeys) -> None:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(request.url.path)

    inner = Starlette(routes=[Route("/health", answer), Route("/admin", answer)])
    outer = Starlette(routes=[Mount("/api", APIKeyMiddleware(inner, keys, exempt=["/health"]))])
    for root in ("", "/root"):
        assert await status(outer, f"{root}/api/health", root_path=root) == 200
        assert await status(outer, f"{root}/api/admin", root_path=root) == 401
        assert await status(outer, f"{root}/api/health/../admin", root_path=root) == 401


async def test_an_exempt_request_has_no_key_even_if_it_sends_one(keys: APIKeys, issuance: Issuance) -> None:
    exempting = APIKeyMiddleware(app, keys, exempt=["/health"])
    forged: dict[str, Any] = {
        "api_key": issuance.uploader.key,
        "permissions": frozenset({"FILE_UPLOAD"}),
        "user": "x",
        "auth": "y",
    }
    for secret in (issuance.uploader.secret, INVENTED):
        response = await ask(exempting, http_scope("/health", bearer(secret), **forged))
        assert response.json() == {**NOBODY, "query": "", "headers": ["host", "authorization"]}


@pytest.mark.parametrize(
    "exempt",
    ["/health", ["health"], ["*"], [""], ["/a*"], ["/*/a"], ["/a/**"], ["/a/../b"], ["/a//b"], [None], ["//"]],
)
def test_an_exempt_pattern_that_says_nothing_clear_is_an_error(exempt: Any) -> None:
    with pytest.raises(BadInputError, match="exempt"):
        APIKeyMiddleware(app, APIKeys("sqlite:///never-opened.db"), exempt=exempt)


# optional


async def test_optional_lets_in_who_has_no_secret_as_nobody(keys: APIKeys, issuance: Issuance) -> None:
    optional = APIKeyMiddleware(app, keys, optional=True)
    forged: dict[str, Any] = {
        "api_key": issuance.uploader.key,
        "permissions": frozenset({"FILE_UPLOAD"}),
        "user": "x",
        "auth": "y",
    }
    response = await ask(optional, http_scope("/", **forged))
    assert response.json() == {**NOBODY, "query": "", "headers": ["host"]}


async def test_optional_refuses_a_wrong_secret_all_the_same(keys: APIKeys, issuance: Issuance) -> None:
    optional = APIKeyMiddleware(app, keys, optional=True)
    good = issuance.uploader.secret
    assert await status(optional, "/", bearer(good)) == 200
    assert await status(optional, "/", bearer(INVENTED)) == 401
    assert await status(optional, "/", bearer(issuance.deactivated.secret)) == 401
    assert await status(optional, "/", {**bearer(good), "X-API-Key": issuance.reader.secret}) == 400


async def test_optional_opens_no_guarded_route(keys: APIKeys) -> None:
    response = await ask(APIKeyMiddleware(requires("FILE_UPLOAD")(app), keys, optional=True), http_scope("/"))
    assert (response.status_code, response.json()["missing"]) == (403, ["FILE_UPLOAD"])


# what stood in the scope before


async def test_scope_entries_that_were_there_are_replaced_by_those_of_the_key(
    keys: APIKeys, issuance: Issuance
) -> None:
    forged: dict[str, Any] = {
        "api_key": issuance.uploader.key,
        "permissions": frozenset({"FILE_UPLOAD", "OBJECTS_LIST"}),
        "user": "x",
        "auth": "y",
    }
    response = await ask(APIKeyMiddleware(app, keys), http_scope("/", bearer(issuance.reader.secret), **forged))
    assert response.json() == {
        "id": issuance.reader.key.id,
        "permissions": ["OBJECTS_LIST"],
        "authenticated": True,
        "auth": ["OBJECTS_LIST"],
        "query": "",
        "headers": ["host"],
    }


# on_error


async def test_on_error_answers_with_another_app_or_leaves_it(keys: APIKeys) -> None:
    seen: list[Outcome] = []

    def teapot(scope: Scope, problem: Problem) -> ASGIApp | None:
        seen.append(problem.outcome)
        if scope["path"] == "/plain":
            return None
        return JSONResponse({"because": problem.outcome}, 418, {"x-was": str(problem.status)})

    async def teapot_later(scope: Scope, problem: Problem) -> ASGIApp | None:
        return teapot(scope, problem)

    for on_error in (teapot, teapot_later):
        refusing = APIKeyMiddleware(app, keys, on_error=on_error)
        response = await ask(refusing, http_scope("/"))
        assert (response.status_code, response.json()) == (418, {"because": "key_missing"})
        assert response.headers["x-was"] == "401"
        assert (await ask(refusing, http_scope("/plain", bearer(INVENTED)))).json()["code"] == "key_invalid"
        async with Connection(refusing, websocket_scope("/plain")) as connection:
            connection.give("websocket.connect")
            assert (await connection.answer()).status_code == 401
    assert seen == [Outcome.MISSING, Outcome.INVALID, Outcome.MISSING] * 2


async def test_an_error_in_on_error_lets_nobody_in(keys: APIKeys) -> None:
    def broken(_scope: Scope, _problem: Problem) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask(APIKeyMiddleware(app, keys, on_error=broken), http_scope("/"))


# project


def of_first_segment(scope: Scope) -> str | None:
    path: str = scope["path"]
    return path.split("/")[1] or None


async def test_a_key_of_another_project_is_refused(keys: APIKeys, issuance: Issuance) -> None:
    by_name = APIKeyMiddleware(app, keys, project="acme")
    by_path = APIKeyMiddleware(app, keys, project=of_first_segment)
    for guarded in (by_name, by_path):
        for _ in range(2):  # first from the database, then from memory
            assert await status(guarded, "/acme/x", bearer(issuance.uploader.secret)) == 200
            assert await status(guarded, "/acme/x", bearer(issuance.anywhere.secret)) == 200
            response = await ask(guarded, http_scope("/acme/x", bearer(issuance.stranger.secret)))
            assert (response.status_code, response.json()["code"]) == (403, "project_denied")
            assert "www-authenticate" not in response.headers
    assert await status(by_path, "/globex/x", bearer(issuance.stranger.secret)) == 200
    assert await status(by_path, "/globex/x", bearer(issuance.uploader.secret)) == 403


async def test_a_request_of_no_project_is_open_to_company_wide_keys_only(keys: APIKeys, issuance: Issuance) -> None:
    by_path = APIKeyMiddleware(app, keys, project=of_first_segment)
    assert await status(by_path, "/", bearer(issuance.uploader.secret)) == 403
    assert await status(by_path, "/", bearer(issuance.anywhere.secret)) == 200


async def test_a_socket_of_another_project_is_closed_as_forbidden(keys: APIKeys, issuance: Issuance) -> None:
    guarded = APIKeyMiddleware(app, keys, project="acme")
    scope = websocket_scope("/", bearer(issuance.stranger.secret), extensions={})
    async with Connection(guarded, scope) as connection:
        connection.give("websocket.connect")
        close = await connection.take()
    assert (close["code"], close["reason"]) == (3003, "project_denied")


# sources


async def code(app: ASGIApp, headers: Headers = (), **entries: Any) -> str | int:
    response = await ask(app, http_scope("/", headers, **entries))
    return response.status_code if response.status_code == 200 else str(response.json()["code"])


async def test_two_secrets_or_one_header_twice_are_an_error(keys: APIKeys, issuance: Issuance) -> None:
    guarded = APIKeyMiddleware(app, keys)
    one, other = issuance.uploader.secret, issuance.reader.secret
    for second in (one, other, "nonsense"):
        both = [("Authorization", f"Bearer {one}"), ("X-API-Key", second)]
        twice = [("X-API-Key", one), ("x-api-key", second)]
        bearers = [("Authorization", f"Bearer {one}"), ("Authorization", f"Bearer {second}")]
        for headers in (twice, twice[::-1], bearers, bearers[::-1]):
            assert await code(guarded, headers) == "key_ambiguous"
        assert await code(guarded, both) == (200 if second == one else "key_ambiguous"), "one secret is one key"
    mixed = [("Authorization", "Basic Zm9v"), ("X-API-Key", one)]
    assert await code(guarded, mixed) == 200, "another scheme in that header is the app's business"
    assert await code(guarded, [("Authorization", "Basic Zm9v"), ("Authorization", f"Bearer {one}")]) == "key_ambiguous"


@pytest.mark.parametrize("blank", ["", " ", "\t"])
async def test_a_header_with_nothing_in_it_is_as_one_that_is_not_there(
    keys: APIKeys, issuance: Issuance, blank: str
) -> None:
    guarded, optional = APIKeyMiddleware(app, keys), APIKeyMiddleware(app, keys, optional=True)
    secret = issuance.uploader.secret
    for empty in ([("X-API-Key", blank)], [("Authorization", f"Bearer {blank}")], [("Authorization", "Bearer")]):
        assert await code(guarded, empty) == "key_missing"
        assert (await ask(optional, http_scope("/", empty))).json()["authenticated"] is False
    for again in range(2):  # the second time from memory
        assert await code(guarded, [("X-API-Key", f"{blank}{secret}{blank}")]) == 200, again
        assert await code(guarded, [("Authorization", f"Bearer {secret}"), ("X-API-Key", blank)]) == 200, again


async def test_a_token_of_a_person_beside_the_key_of_a_program_is_left_to_the_app(
    keys: APIKeys, issuance: Issuance
) -> None:
    guarded = APIKeyMiddleware(app, keys, sources=[Header("X-API-Key")], optional=True)
    person = ("Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIn0.")
    told = (await ask(guarded, http_scope("/", [person]))).json()
    assert (told["authenticated"], told["headers"]) == (False, ["host", "authorization"])
    told = (await ask(guarded, http_scope("/", [person, ("X-API-Key", issuance.uploader.secret)]))).json()
    assert (told["authenticated"], told["headers"]) == (True, ["host", "authorization"])


async def test_only_the_sources_that_were_asked_for_are_read(keys: APIKeys, issuance: Issuance) -> None:
    secret = issuance.uploader.secret
    own = APIKeyMiddleware(app, keys, sources=[Header("X-Filerobot-Key")])
    assert await code(own, {"x-filerobot-key": secret}) == 200
    assert await code(own, {"X-API-Key": secret}) == "key_missing"
    assert await code(own, bearer(secret)) == "key_missing"
    default = APIKeyMiddleware(app, keys)
    assert await code(default, query_string=f"api_key={secret}".encode()) == "key_missing"
    assert await code(default, {"X-Filerobot-Key": secret}) == "key_missing"


async def test_the_challenge_names_realm_and_a_scheme_that_is_in_use(keys: APIKeys) -> None:
    own = APIKeyMiddleware(app, keys, sources=[Header("X-Filerobot-Key")], realm="assets of acme")
    for headers in ({}, {"X-Filerobot-Key": INVENTED}):
        response = await ask(own, http_scope("/", headers))
        assert response.headers["www-authenticate"] == 'ApiKey realm="assets of acme"'
    for realm in ('a"b', "a\\b", "a\r\nb", "é"):
        with pytest.raises(BadInputError, match="realm"):
            APIKeyMiddleware(app, keys, realm=realm)


async def test_a_query_parameter_is_a_source_if_asked_for_and_is_taken_out(keys: APIKeys, issuance: Issuance) -> None:
    secret = issuance.uploader.secret
    sources = (Bearer(), Query("api_key"))
    guarded = APIKeyMiddleware(app, keys, sources=sources)
    query = f"a=1&api%5Fkey={secret}&b=%20".encode()
    assert (await ask(guarded, http_scope("/", query_string=query))).json()["query"] == "a=1&b=%20"
    keeping = APIKeyMiddleware(app, keys, sources=sources, strip=False)
    assert (await ask(keeping, http_scope("/", query_string=query))).json()["query"] == query.decode()
    twice = f"api_key={secret}&api_key={secret}".encode()
    assert await code(guarded, query_string=twice) == "key_ambiguous"
    assert await code(guarded, bearer(secret), query_string=query) == 200, "one secret is one key"
    assert await code(guarded, bearer(issuance.reader.secret), query_string=query) == "key_ambiguous"
    assert await code(guarded, query_string=b"api_key=") == "key_missing"
    assert await code(guarded, query_string=b"API_KEY=" + secret.encode()) == "key_missing"


async def test_a_subprotocol_is_a_source_if_asked_for_and_the_app_sees_the_others(
    keys: APIKeys, issuance: Issuance
) -> None:
    guarded = APIKeyMiddleware(app, keys, sources=(Bearer(), Subprotocol()))
    offered = ["chat", f"gatepost.key.{issuance.uploader.secret}", "chat2"]
    scope = websocket_scope("/", [("sec-websocket-protocol", ", ".join(offered))], subprotocols=offered)
    async with Connection(guarded, scope) as connection:
        connection.give("websocket.connect")
        assert (await connection.take())["subprotocol"] == "chat"
        assert orjson.loads((await connection.take())["text"]) == [["chat", "chat2"], ["chat, chat2"]]
    wrong = ["chat", f"gatepost.key.{INVENTED}"]
    for subprotocols, reason in (
        (["chat"], "key_missing"),
        (wrong, "key_invalid"),
        (offered[1:2] * 2, "key_ambiguous"),
    ):
        scope = websocket_scope("/", subprotocols=subprotocols, extensions={})
        async with Connection(guarded, scope) as connection:
            connection.give("websocket.connect")
            close = await connection.take()
        assert (close["code"], close["reason"]) == (3000, reason)
