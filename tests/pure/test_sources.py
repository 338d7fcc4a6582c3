"""Taking the secret out of a scope: exactly one, from where the app says, and nothing else touched."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.asgi.sources import Bearer, Extractor, Header, Query, Source, Subprotocol
from gatepost.base.errors import BadInputError
from gatepost.base.models import Outcome

MISSING = Outcome.MISSING
AMBIGUOUS = Outcome.AMBIGUOUS
USUAL = (Bearer(), Header("X-API-Key"))

Line = Sequence[bytes]


def scope_of(*headers: Line, kind: str = "http", **more: Any) -> dict[str, Any]:
    """A connection scope with these headers, as a server gives it."""
    return {"type": kind, "headers": list(headers), "query_string": b"", **more}


def taken(sources: Sequence[Source], scope: dict[str, Any], *, strip: bool = True) -> bytes | Outcome:
    """What an extractor takes out of the scope."""
    return Extractor(sources, strip=strip).take(scope)


def same(lines: Sequence[Line], others: Sequence[Line]) -> bool:
    """Whether the lines are the very same objects in the same order."""
    return len(lines) == len(others) and all(one is other for one, other in zip(lines, others, strict=True))


names = st.sampled_from([b"host", b"cookie", b"accept", b"x-api", b"x-api-key2", b"proxy-authorization", b""])
values = st.binary(max_size=30) | st.just(b"Bearer s")
lines = st.tuples(names, values) | st.tuples(names, values).map(list)
secrets = st.binary(max_size=100)
schemes = st.sampled_from([b"Bearer ", b"bearer ", b"BEARER ", b"bEaReR "])
carriers = st.one_of(
    st.tuples(st.just(b"x-api-key"), st.just(b""), secrets), st.tuples(st.just(b"authorization"), schemes, secrets)
)
containers: st.SearchStrategy[Any] = st.sampled_from([list, tuple])


@given(
    st.lists(lines, max_size=6), st.lists(lines, max_size=6), carriers, st.tuples(containers, containers), st.booleans()
)
def test_the_one_secret_comes_out_and_all_else_keeps_order_and_identity(
    before: list[Line], after: list[Line], carrier: tuple[bytes, bytes, bytes], containers: tuple[Any, Any], strip: bool
) -> None:
    name, scheme, secret = carrier
    outer, inner = containers
    headers = outer([*before, inner([name, scheme + secret]), *after])
    scope = {"type": "http", "headers": headers}
    assert taken(USUAL, scope, strip=strip) == secret
    if strip:
        assert same(scope["headers"], [*before, *after])
    else:
        assert scope["headers"] is headers
    assert len(headers) == len(before) + 1 + len(after)  # the server's own list is left as it is


@given(st.lists(lines | st.tuples(st.sampled_from([b"x-api-key", b"authorization"]), values), max_size=6), containers)
def test_never_is_one_of_two_secrets_chosen(headers: list[Line], outer: Any) -> None:
    read = [line for line in headers if line[0] in (b"x-api-key", b"authorization") and line[1].strip(b" \t")]
    found = {
        (line[1] if line[0] == b"x-api-key" else line[1].lstrip(b" \t")[7:]).strip(b" \t")
        for line in read
        if line[0] == b"x-api-key" or line[1].lstrip(b" \t")[:7].lower() == b"bearer "
    } - {b""}
    repeated = len({line[0] for line in read}) < len(read)
    expected = AMBIGUOUS if repeated or len(found) > 1 else found.pop() if found else MISSING
    for strip in (True, False):
        scope = {"type": "http", "headers": outer(headers)}
        told = taken(USUAL, scope, strip=strip)
        assert (told if isinstance(told, Outcome) else told.strip(b" \t") or MISSING) == expected
        if told is MISSING:
            assert same(scope["headers"], headers)


@given(st.lists(lines, max_size=6))
def test_without_a_secret_nothing_is_touched(headers: list[Line]) -> None:
    scope = {"type": "http", "headers": headers}
    assert taken(USUAL, scope) is MISSING
    assert scope == {"type": "http", "headers": headers}
    assert scope["headers"] is headers


@given(
    st.sampled_from([Bearer(), Header("X-API-Key"), Query("api_key"), Query("key"), Subprotocol()]),
    st.sampled_from([Bearer(), Header("X-API-Key"), Query("api_key"), Query("key"), Subprotocol()]),
    st.text("ABCabc019_", min_size=1),
    st.text("ABCabc019_", min_size=1),
    st.booleans(),
)
def test_two_secrets_in_one_request_are_ambiguous_wherever_they_stand_and_one_in_two_places_is_one(
    one: Source, other: Source, first: str, second: str, strip: bool
) -> None:
    scope = scope_of(kind="websocket", subprotocols=["chat"])
    for source, secret in ((one, first), (other, second)):
        match source:
            case Bearer():
                scope["headers"].append((b"authorization", b"Bearer " + secret.encode()))
            case Header():
                scope["headers"].append((b"x-api-key", secret.encode()))
            case Query(name):
                scope["query_string"] += f"&{name}={secret}".encode()
            case Subprotocol(prefix):
                scope["subprotocols"].append(prefix + secret)
    everywhere = (Bearer(), Header("X-API-Key"), Query("api_key"), Query("key"), Subprotocol())
    expected = AMBIGUOUS if one == other or first != second else first.encode()
    assert taken(everywhere, scope, strip=strip) == expected
    if strip:
        left = [line for line in scope["headers"] if line != (b"sec-websocket-protocol", b"chat")]
        assert (left, scope["query_string"].strip(b"&"), scope["subprotocols"]) == ([], b"", ["chat"])


@pytest.mark.parametrize("blank", [b"", b" ", b"\t", b" \t "])
def test_a_header_with_nothing_in_it_is_no_secret_beside_another(blank: bytes) -> None:
    good = (b"x-api-key", b"s")
    for empty in ((b"authorization", blank), (b"authorization", b"Bearer " + blank), (b"authorization", b"Bearer")):
        assert taken(USUAL, scope_of(empty, good)) == taken(USUAL, scope_of(good, empty)) == b"s"
    assert taken(USUAL, scope_of((b"x-api-key", blank), good)) == b"s"
    assert taken(USUAL, scope_of((b"x-api-key", blank), (b"authorization", b"Bearer s"))) == b"s"
    others = (Query("a"), Query("b"), Subprotocol())
    offered = ["gatepost.key.s", "gatepost.key." + blank.decode()]
    scope = scope_of(kind="websocket", query_string=b"a=" + quote_from_bytes(blank).encode(), subprotocols=offered)
    assert taken(others, scope) == b"s"


def test_a_secret_that_a_server_leaves_blanks_around_is_the_same_in_each_place() -> None:
    scope = scope_of((b"authorization", b"\tBearer  s "), (b"x-api-key", b" s\t"))
    found = taken(USUAL, scope)
    assert isinstance(found, bytes)
    assert found.strip(b" \t") == b"s"
    assert taken((Bearer(),), scope_of((b"authorization", b" Bearer s"))) == b"s"


@pytest.mark.parametrize(
    ("sources", "headers", "expected"),
    [
        (USUAL, [], MISSING),
        (USUAL, [(b"authorization", b"Bearer s")], b"s"),
        (USUAL, [(b"authorization", b"bearer s")], b"s"),
        (USUAL, [(b"authorization", b"BEARER s")], b"s"),
        (USUAL, [(b"authorization", b"Bearer ")], b""),
        (USUAL, [(b"authorization", b"Bearer")], MISSING),
        (USUAL, [(b"authorization", b"Bearers s")], MISSING),
        (USUAL, [(b"authorization", b"Bearer\ts")], MISSING),
        (USUAL, [(b"authorization", b"Basic dTpw")], MISSING),
        (USUAL, [(b"authorization", b"")], MISSING),
        (USUAL, [(b"authorization", b"s")], MISSING),
        (USUAL, [(b"x-api-key", b"s")], b"s"),
        (USUAL, [(b"x-api-key", b"")], b""),
        (USUAL, [(b"x-api-key", b"Bearer s")], b"Bearer s"),
        (USUAL, [(b"x-api-key", b"s"), (b"authorization", b"Basic dTpw")], b"s"),
        (USUAL, [(b"authorization", b"Basic dTpw"), (b"x-api-key", b"s")], b"s"),
        (USUAL, [(b"authorization", b"Bearer s"), (b"x-api-key", b"s")], b"s"),
        (USUAL, [(b"authorization", b"Bearer s"), (b"x-api-key", b"t")], AMBIGUOUS),
        (USUAL, [(b"x-api-key", b"s"), (b"x-api-key", b"s")], AMBIGUOUS),
        (USUAL, [(b"x-api-key", b""), (b"x-api-key", b"s")], b"s"),
        (USUAL, [(b"authorization", b"Basic dTpw"), (b"authorization", b"Bearer s")], AMBIGUOUS),
        (USUAL, [(b"authorization", b"Bearer s"), (b"authorization", b"Bearer s")], AMBIGUOUS),
        ((Bearer(),), [(b"x-api-key", b"s")], MISSING),
        ((Bearer(),), [(b"x-api-key", b"s"), (b"authorization", b"Bearer t")], b"t"),
        ((Header("X-API-Key"),), [(b"authorization", b"Bearer s")], MISSING),
        ((Header("x-filerobot-KEY"),), [(b"x-filerobot-key", b"s")], b"s"),
        ((Header("A"), Header("B")), [(b"b", b"s")], b"s"),
        ((Header("A"), Header("B")), [(b"b", b"s"), (b"a", b"s")], b"s"),
        ((Header("A"), Header("B")), [(b"b", b"s"), (b"a", b"t")], AMBIGUOUS),
    ],
)
def test_header_cases(sources: Sequence[Source], headers: list[Line], expected: bytes | Outcome) -> None:
    scope = scope_of(*headers)
    assert taken(sources, scope) == expected
    assert taken((*sources, Query("unused")), scope_of(*headers)) == expected  # the way of several kinds of sources


def test_a_header_of_another_scheme_is_left_to_the_app() -> None:
    basic, key, host = (b"authorization", b"Basic dTpw"), (b"x-api-key", b"s"), (b"host", b"h")
    scope = scope_of(basic, key, host)
    assert taken(USUAL, scope) == b"s"
    assert same(scope["headers"], [basic, host])


def test_one_line_object_that_stands_twice_is_ambiguous() -> None:
    line = (b"x-api-key", b"s")
    assert taken(USUAL, scope_of(line, line)) is AMBIGUOUS


def test_equal_lines_elsewhere_are_kept() -> None:
    """Only the carrier goes: not other lines that are equal to it in part, or the same object as each other."""
    cookie = (b"cookie", b"a")
    scope = scope_of(cookie, (b"x-api-key", b"s"), cookie)
    assert taken(USUAL, scope) == b"s"
    assert same(scope["headers"], [cookie, cookie])


@pytest.mark.parametrize(
    ("query", "expected", "rest"),
    [
        (b"", MISSING, b""),
        (b"api_key=s", b"s", b""),
        (b"a=1&api_key=s&b=%20+2", b"s", b"a=1&b=%20+2"),
        (b"api_key=s&", b"s", b""),
        (b"&&api_key=s", b"s", b"&"),
        (b"api%5Fkey=s&a", b"s", b"a"),
        (b"api_key=%73%2B+", b"s+ ", b""),
        (b"api_key=a=b", b"a=b", b""),
        (b"api_key", b"", b""),
        (b"api_key=", b"", b""),
        (b"API_KEY=s", MISSING, b"API_KEY=s"),
        (b"xapi_key=s&api_key2=t", MISSING, b"xapi_key=s&api_key2=t"),
        (b"a=api_key=s", MISSING, b"a=api_key=s"),
        (b"api_key=%zz%ff%00", b"%zz\xff\x00", b""),
        (b"api_key=s&api_key=s", AMBIGUOUS, None),
        (b"api_key=s&api%5fkey=", b"s", b""),
        (b"api_key=s&api%5fkey=t", AMBIGUOUS, None),
    ],
)
def test_query_cases(query: bytes, expected: bytes | Outcome, rest: bytes | None) -> None:
    scope = scope_of(query_string=query)
    assert taken((Query("api_key"),), scope) == expected
    assert rest is None or scope["query_string"] == rest
    kept = scope_of(query_string=query)
    assert taken((Query("api_key"),), kept, strip=False) == expected
    assert kept["query_string"] == query


@given(st.lists(st.binary(max_size=10), max_size=4), secrets, st.text(min_size=1, max_size=8))
def test_any_bytes_come_out_of_the_query_and_the_rest_stays(parts: list[bytes], secret: bytes, name: str) -> None:
    name = name.encode(errors="ignore").decode() or "k"
    others = [b"o" + part.replace(b"&", b"").replace(b"=", b"") + b"=" for part in parts]
    carrier = quote_from_bytes(name.encode(), safe="").encode() + b"=" + quote_from_bytes(secret, safe="").encode()
    scope = scope_of(query_string=b"&".join([*others, carrier]))
    expected = (
        AMBIGUOUS if any(taken((Query(name),), scope_of(query_string=o)) is not MISSING for o in others) else secret
    )
    assert taken((Query(name),), scope) == expected
    if expected == secret:
        assert scope["query_string"] == b"&".join(others)


def test_a_query_parameter_is_read_only_if_asked_for() -> None:
    assert taken(USUAL, scope_of(query_string=b"x-api-key=s&api_key=s&access_token=s")) is MISSING


def test_a_scope_without_query_string_or_subprotocols_holds_no_secret() -> None:
    scope = {"type": "websocket", "headers": []}
    assert taken((Query("api_key"), Subprotocol()), scope) is MISSING


@pytest.mark.parametrize(
    ("offered", "expected", "rest"),
    [
        ([], MISSING, []),
        (["chat"], MISSING, ["chat"]),
        (["chat", "gatepost.key.s", "json"], b"s", ["chat", "json"]),
        (["gatepost.key.s"], b"s", []),
        (["gatepost.key."], b"", []),
        (["gatepost.key", "Gatepost.key.s", "xgatepost.key.s"], MISSING, None),
        (["gatepost.key.s\xff"], b"s\xff", []),
        (["gatepost.key.\u20ac"], b"?", []),
        (["gatepost.key.s", "gatepost.key.s"], AMBIGUOUS, None),
    ],
)
def test_subprotocol_cases(offered: list[str], expected: bytes | Outcome, rest: list[str] | None) -> None:
    host, line = (b"host", b"h"), (b"sec-websocket-protocol", ", ".join(offered).encode("latin-1", "replace"))
    scope = scope_of(host, line, kind="websocket", subprotocols=list(offered))
    assert taken((Subprotocol(),), scope) == expected
    if rest is not None:
        assert scope["subprotocols"] == rest
        if isinstance(expected, bytes):
            told = [(b"sec-websocket-protocol", ", ".join(rest).encode())] if rest else []
            assert scope["headers"] == [host, *told]
            assert scope["headers"][0] is host
    kept = scope_of(host, line, kind="websocket", subprotocols=list(offered))
    assert taken((Subprotocol(),), kept, strip=False) == expected
    assert same(kept["headers"], [host, line])
    assert kept["subprotocols"] == offered


def test_a_subprotocol_with_a_secret_leaves_no_trace_in_the_headers() -> None:
    scope = scope_of(
        (b"sec-websocket-protocol", b"chat"),
        (b"sec-websocket-protocol", b"gatepost.key.s3cr3t"),
        kind="websocket",
        subprotocols=["chat", "gatepost.key.s3cr3t"],
    )
    assert taken((Subprotocol(),), scope) == b"s3cr3t"
    assert b"s3cr3t" not in repr(scope).encode()


def test_subprotocols_belong_to_websockets() -> None:
    scope = scope_of((b"sec-websocket-protocol", b"gatepost.key.s"), subprotocols=["gatepost.key.s"])
    assert taken((Subprotocol(),), scope) is MISSING


@pytest.mark.parametrize("length", [0, 1, 4096, 100_000])
def test_a_secret_of_any_length_comes_out_and_goes_from_the_scope(length: int) -> None:
    secret = b"x" * length
    for sources in (USUAL, (*USUAL, Query("k"))):
        scope = scope_of((b"x-api-key", secret))
        assert taken(sources, scope) == secret
        assert scope["headers"] == []


@pytest.mark.parametrize("name", ["", " ", "X API", "X:", "Ké", "a\n", "a\0", "authorization", "Authorization"])
def test_a_bad_header_name_is_refused(name: str) -> None:
    with pytest.raises(BadInputError, match="header"):
        Header(name)


def test_a_bad_parameter_or_subprotocol_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"Query\(\) needs the parameter's name"):
        Query("")
    for prefix in ("", "a b", "a,", "é"):
        with pytest.raises(BadInputError, match="subprotocol"):
            Subprotocol(prefix)


@pytest.mark.parametrize(
    ("sources", "named"),
    [
        ([], "sources is empty"),
        (Bearer(), "sources must be a list"),
        (["X-API-Key"], "'X-API-Key' is no source"),
        ([Bearer], "is no source"),
        ([Bearer(), Bearer()], "same source twice"),
        ([Header("a"), Header("a")], "same source twice"),
    ],
)
def test_bad_sources_are_refused_by_name(sources: Any, named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        Extractor(sources)
