"""What a refused caller is told: the table of the design, in the grammar of the RFCs."""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.asgi.responses import Problem, challenge, checked_realm, denied
from gatepost.base.errors import BadInputError
from gatepost.base.models import Outcome

TABLE = {
    "key_missing": (401, 3000),
    "key_invalid": (401, 3000),
    "key_deactivated": (401, 3000),
    "key_expired": (401, 3000),
    "key_ambiguous": (400, 3000),
    "permission_denied": (403, 3003),
    "address_denied": (403, 3003),
    "origin_denied": (403, 3003),
    "subject_denied": (403, 3003),
    "environment_denied": (403, 3003),
    "project_denied": (403, 3003),
    "limit_exceeded": (429, 1013),
    "unavailable": (503, 1013),
}
"""Code to HTTP status and WebSocket close code: DESIGN section 3."""

REFUSALS = [outcome for outcome in Outcome if outcome is not Outcome.VALID]
UNAUTHENTICATED = [outcome for outcome in REFUSALS if TABLE[outcome.value][0] == 401]
PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    429: "Too Many Requests",
    503: "Service Unavailable",
}

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'


def parse_challenge(value: bytes) -> tuple[str, dict[str, str]]:
    """Scheme and parameters of one challenge, strictly by RFC 9110, sections 5.6 and 11.2 to 11.6."""
    text = value.decode("latin-1")
    head = re.match(rf"({TOKEN}) +", text)
    assert head, text
    params: dict[str, str] = {}
    place = head.end()
    while True:
        param = re.compile(rf"({TOKEN})[ \t]*=[ \t]*({TOKEN}|{QUOTED})").match(text, place)
        assert param, text[place:]
        name, raw = param[1].lower(), param[2]
        assert name not in params, "a parameter stands once only"
        params[name] = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw.startswith('"') else raw
        place = param.end()
        if place == len(text):
            return head[1], params
        comma = re.compile(r"[ \t]*,[ \t]*").match(text, place)
        assert comma, text[place:]
        place = comma.end()


async def sent_by(problem: Problem, scope: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """What the problem sends for a scope, and the order in which it received and sent."""
    messages: list[Any] = []
    order: list[str] = []

    async def receive() -> Any:
        order.append("receive")
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        order.append(message["type"])
        messages.append(message)

    await problem(scope, receive, send)
    return messages, order


def test_the_table_is_the_designs() -> None:
    assert {outcome.value for outcome in REFUSALS} == TABLE.keys()
    assert {outcome.value: Problem(outcome).status for outcome in REFUSALS} == {
        code: status for code, (status, _) in TABLE.items()
    }


@pytest.mark.parametrize("outcome", REFUSALS)
def test_the_body_has_the_members_of_rfc_9457(outcome: Outcome) -> None:
    body = orjson.loads(Problem(outcome).body)
    members = {"title", "status", "detail", "message", "code"}
    assert set(body) == members  # no "type": "about:blank", so the title is the phrase
    assert body["message"] == body["detail"] != Problem(outcome, {"detail": "Other."}).members["detail"]
    assert Problem(outcome, {"detail": "Other."}).members["message"] == "Other."
    assert body["status"] == TABLE[outcome.value][0]
    assert body["title"] == PHRASES[body["status"]]
    assert body["code"] == outcome.value
    assert body["detail"].endswith(".")
    assert body["detail"].isascii()


def test_malformed_and_unknown_secrets_get_one_answer() -> None:
    assert [outcome for outcome in Outcome if "invalid" in outcome] == [Outcome.INVALID]


@pytest.mark.parametrize("outcome", REFUSALS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
async def test_an_http_request_is_answered_with_a_problem(outcome: Outcome, method: str) -> None:
    problem = Problem(outcome, headers=[(b"retry-after", b"2")])
    (start, body), _ = await sent_by(problem, {"type": "http", "method": method})
    headers = dict(start["headers"])
    assert start["type"] == "http.response.start"
    assert start["status"] == TABLE[outcome.value][0]
    assert headers == {
        b"content-type": b"application/problem+json",
        b"content-length": str(len(problem.body)).encode(),
        b"cache-control": b"no-store",
        b"retry-after": b"2",
    }
    assert len(headers) == len(start["headers"])
    assert body == {"type": "http.response.body", "body": b"" if method == "HEAD" else problem.body}


@pytest.mark.parametrize("outcome", REFUSALS)
@pytest.mark.parametrize("extensions", [{}, {"extensions": None}, {"extensions": {}}, {"extensions": {"tls": {}}}])
async def test_a_websocket_is_refused_by_a_close_code_before_it_is_accepted(
    outcome: Outcome, extensions: dict[str, Any]
) -> None:
    messages, order = await sent_by(Problem(outcome), {"type": "websocket", **extensions})
    assert messages == [{"type": "websocket.close", "code": TABLE[outcome.value][1], "reason": outcome.value}]
    assert order == ["receive", "websocket.close"]
    assert len(messages[0]["reason"].encode()) <= 123  # RFC 6455, section 5.5: a control frame holds 125 bytes


@pytest.mark.parametrize("outcome", REFUSALS)
async def test_a_websocket_is_refused_by_a_response_where_the_server_can(outcome: Outcome) -> None:
    problem = Problem(outcome, headers=[(b"www-authenticate", b'Bearer realm="api"')])
    messages, order = await sent_by(problem, {"type": "websocket", "extensions": {"websocket.http.response": {}}})
    assert order == ["receive", "websocket.http.response.start", "websocket.http.response.body"]
    assert messages[0]["status"] == TABLE[outcome.value][0]
    assert (b"www-authenticate", b'Bearer realm="api"') in messages[0]["headers"]
    assert messages[1]["body"] == problem.body


@pytest.mark.parametrize("outcome", UNAUTHENTICATED)
@pytest.mark.parametrize("scheme", ["Bearer", "ApiKey"])
def test_a_401_carries_a_challenge_by_rfc_9110_and_rfc_6750(outcome: Outcome, scheme: str) -> None:
    name, value = challenge(outcome, "my api", scheme)
    assert name == b"www-authenticate"
    parsed_scheme, params = parse_challenge(value)
    assert parsed_scheme == scheme
    assert params["realm"] == "my api"
    if outcome is Outcome.MISSING or scheme != "Bearer":  # RFC 6750, 3.1: no error code where no token came
        assert set(params) == {"realm"}
    else:
        assert set(params) == {"realm", "error", "error_description"}
        assert params["error"] == "invalid_token"
        assert not set(params["error_description"]) & set('"\\')  # RFC 6750, section 3


@given(
    st.text(max_size=20) | st.text([chr(code) for code in range(128)], max_size=20), st.sampled_from(UNAUTHENTICATED)
)
def test_a_realm_is_refused_or_stands_in_the_header_as_given(realm: str, outcome: Outcome) -> None:
    if re.fullmatch(r"[ !\x23-\x5b\x5d-~]*", realm) is None:
        with pytest.raises(BadInputError, match=r"^realm"):
            checked_realm(realm)
        return
    assert checked_realm(realm) == realm
    _, value = challenge(outcome, realm, "Bearer")
    assert parse_challenge(value)[1]["realm"] == realm


@pytest.mark.parametrize("realm", ['a"b', "a\\b", "a\nb", "a\r\nSet-Cookie: x", "a\0", "a\tb", "é", "\x7f", "\u2028"])
def test_a_realm_that_could_break_out_of_its_quotes_is_refused(realm: str) -> None:
    with pytest.raises(BadInputError, match="realm"):
        checked_realm(realm)


def test_the_parser_of_challenges_is_strict() -> None:
    for bad in (
        b"Bearer",
        b'Bearer realm="a',
        b'Bearer realm="a" error="b"',
        b'Bearer realm="a",',
        b'Be arer realm="a"x',
    ):
        with pytest.raises(AssertionError):
            parse_challenge(bad)


def test_missing_permissions_are_listed_in_order() -> None:
    problem = denied(
        frozenset({"FILE_MOVE", "FILE_DELETE", "DIR_MOVE"}), frozenset({"FILE_MOVE", "DIR_MOVE"}), any_of=False
    )
    body = orjson.loads(problem.body)
    assert problem.status == 403
    assert body["code"] == "permission_denied"
    assert body["required"] == ["DIR_MOVE", "FILE_DELETE", "FILE_MOVE"]
    assert body["missing"] == ["DIR_MOVE", "FILE_MOVE"]
    assert "any_of" not in body


def test_a_choice_of_permissions_is_told_as_one() -> None:
    both = frozenset({"FILE_MOVE", "DIR_MOVE"})
    assert orjson.loads(denied(both, both, any_of=True).body)["any_of"] is True
