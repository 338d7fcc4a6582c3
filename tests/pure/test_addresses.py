"""Where a request is from: the rightmost hop that is no trusted proxy, whatever stands further left."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.addresses import FORWARDED, UNIX, X_FORWARDED_FOR, Addresses
from gatepost.addresses.hops import forwarded_hops, x_forwarded_for_hops
from gatepost.base.errors import BadInputError

PROXIES = ("10.0.0.0/8", "2001:db8:ffff::/48")
PROXY = "10.0.0.1"
CLIENT = "203.0.113.9"


def scope(peer: Any, *lines: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "client": peer if peer is None else (peer, 4711), "headers": [(b"host", b"x"), *lines]}


def xff(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", value.encode("latin-1")) for value in values]


def forwarded(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"forwarded", value.encode("latin-1")) for value in values]


def seen(peer: Any, *lines: tuple[bytes, bytes], **options: Any) -> str | None:
    found = Addresses(**({"trusted_proxies": PROXIES} | options))
    told = found.seen(scope(peer, *lines))
    assert found.of(scope(peer, *lines)) == told.address
    assert told.rule
    return told.address


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (CLIENT, CLIENT),
        ("2001:DB8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", CLIENT),
        (None, None),
        ("", None),
        ("unknown", None),
        ("testclient", None),
        ("fe80::1%eth0", None),
    ],
)
def test_without_trusted_proxies_it_is_the_peer_whatever_headers_say(peer: Any, address: str | None) -> None:
    lines = [*xff("198.51.100.7"), *forwarded("for=198.51.100.7")]
    assert Addresses().seen(scope(peer, *lines)).address == address


@pytest.mark.parametrize("header", [X_FORWARDED_FOR, FORWARDED])
def test_a_peer_that_is_no_trusted_proxy_is_the_client_whatever_it_sends(header: str) -> None:
    lines = [*xff("198.51.100.7"), *forwarded("for=198.51.100.7")]
    assert seen(CLIENT, *lines, header=header) == CLIENT
    assert seen(None, *lines, header=header) is None
    assert seen("garbage", *lines, header=header) is None


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ([CLIENT], CLIENT),
        (["198.51.100.7, 203.0.113.9"], CLIENT),
        (["198.51.100.7", "203.0.113.9, 10.0.0.2"], CLIENT),
        (["198.51.100.7,203.0.113.9,10.0.0.2,2001:db8:ffff::1"], CLIENT),
        (["203.0.113.9:4711"], CLIENT),
        (["[2001:db8::9]:4711"], "2001:db8::9"),
        (["[2001:db8::9]"], "2001:db8::9"),
        (["2001:db8::9"], "2001:db8::9"),
        (["::ffff:203.0.113.9"], CLIENT),
        (["198.51.100.7, ::ffff:10.0.0.2"], "198.51.100.7"),
        (["203.0.113.9, , "], CLIENT),
        (["203.0.113.9\t"], CLIENT),
        (["198.51.100.7, unknown"], None),
        (["198.51.100.7, unknown, 10.0.0.2"], None),
        (["198.51.100.7, 10.0.0.2x"], None),
        (["198.51.100.7, 203.0.113.9 10.0.0.2"], None),
        (["198.51.100.7, 203.0.113.9:port"], None),
        (["198.51.100.7, [203.0.113.9"], None),
        (['198.51.100.7, "203.0.113.9"'], None),
        (["198.51.100.7, 203.0.113.09"], None),
        (["198.51.100.7, \xe9"], None),
        (["10.0.0.3, 10.0.0.2"], None),
        (["10.0.0.3"], None),
        ([""], None),
        ([], None),
    ],
)
def test_x_forwarded_for(values: list[str], address: str | None) -> None:
    assert seen(PROXY, *xff(*values), *forwarded("for=198.51.100.99")) == address


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["for=203.0.113.9"], CLIENT),
        (["for=198.51.100.7, for=203.0.113.9"], CLIENT),
        (["for=198.51.100.7", "for=203.0.113.9;proto=https;by=10.0.0.1,for=10.0.0.2"], CLIENT),
        (['For="203.0.113.9:4711"'], CLIENT),
        (['for="203.0.113.9:_port"'], CLIENT),
        (['FOR="[2001:db8::9]:4711";by="[2001:db8:ffff::1]"'], "2001:db8::9"),
        (['for="[2001:db8::9]"'], "2001:db8::9"),
        (['for="[::ffff:203.0.113.9]"'], CLIENT),
        (['for="\\2\\0\\3.0.113.9"'], CLIENT),
        ([";for=203.0.113.9;;proto=http;"], CLIENT),
        ([",, for=203.0.113.9 ,"], CLIENT),
        (['host="a, for=198.51.100.7";for=203.0.113.9'], CLIENT),
        (['for=198.51.100.7;host="\\"", for=203.0.113.9'], CLIENT),
        (["for=198.51.100.7, for=unknown"], None),
        (["for=198.51.100.7, for=_hidden"], None),
        (["for=198.51.100.7, for=_hidden, for=10.0.0.2"], None),
        (["for=198.51.100.7, proto=https"], None),
        (["for=198.51.100.7, for=203.0.113.9;for=198.51.100.8"], None),
        (["for=198.51.100.7, for=203.0.113.9;FOR=198.51.100.8"], None),
        (["for=198.51.100.7, for=203.0.113.9:4711"], None),
        (["for=198.51.100.7, for=[2001:db8::9]"], None),
        (['for=198.51.100.7, for="2001:db8::9"'], None),
        (['for=198.51.100.7, for="[203.0.113.9]x"'], None),
        (["for=198.51.100.7, for = 203.0.113.9"], None),
        (["for=198.51.100.7, for=203.0.113.9 ; proto=http"], None),
        (["for=198.51.100.7, for=203.0.113.9 proto=http"], None),
        (['for=198.51.100.7;host="unclosed, for=203.0.113.9'], None),
        (["for=198.51.100.7, for=203.0.113.09"], None),
        (["for=198.51.100.7, for="], None),
        (["for=198.51.100.7, for"], None),
        (["for=198.51.100.7, 203.0.113.9"], None),
        (["for=198.51.100.7, for=2\u06603.0.113.9".encode().decode("latin-1")], None),
        (["for=10.0.0.3, for=10.0.0.2"], None),
        (["", ","], None),
        ([], None),
    ],
)
def test_forwarded(values: list[str], address: str | None) -> None:
    assert seen(PROXY, *forwarded(*values), *xff("198.51.100.99"), header=FORWARDED) == address


def test_a_proxy_behind_a_unix_socket_is_trusted_where_it_is_named() -> None:
    assert seen(None, *xff(CLIENT), trusted_proxies=[UNIX]) == CLIENT
    assert seen("", *xff("198.51.100.7, 203.0.113.9, 10.0.0.2"), trusted_proxies=[UNIX, "10.0.0.0/8"]) == CLIENT
    assert seen("unknown", *xff(CLIENT), trusted_proxies=[UNIX]) is None
    assert seen(PROXY, *xff(CLIENT), trusted_proxies=[UNIX]) == PROXY
    assert seen(None, *xff(CLIENT)) is None


TRUSTED = [ipaddress.ip_network(each) for each in PROXIES]


def is_client(address: Any) -> bool:
    """Whether an address is no proxy's, and written in one way."""
    return not any(address in each for each in TRUSTED) and getattr(address, "ipv4_mapped", None) is None


clients: st.SearchStrategy[Any] = st.ip_addresses().filter(is_client)
proxies = st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="2001:db8:ffff::/48")
silent = st.sampled_from(["unknown", "_hidden", ""])


@st.composite
def ways(draw: st.DrawFn) -> tuple[list[Any], str | None]:
    """The hops of a request from the left, and where it is from: what a client made up, then who it is, then
    proxies."""
    made_up = draw(st.lists(clients | proxies | silent, max_size=4))
    last = draw(clients | silent | st.none())
    told = draw(st.lists(proxies, max_size=4))
    if last is None:
        return told, None
    return [*made_up, last, *told], None if isinstance(last, str) else str(last)


@given(ways(), proxies, st.data())
def test_what_a_client_made_up_never_counts_in_x_forwarded_for(
    way: tuple[list[Any], str | None], peer: Any, data: st.DataObject
) -> None:
    hops, address = way
    texts = [data.draw(st.sampled_from(written(hop))) if hop else "unknown" for hop in hops]
    cut = data.draw(st.integers(0, len(texts)))
    lines = [", ".join(part) for part in (texts[:cut], texts[cut:])]
    assert seen(str(peer), *xff(*lines)) == address


def written(hop: Any) -> list[str]:
    """The ways in which a hop may stand in X-Forwarded-For."""
    if isinstance(hop, str):
        return [hop]
    if hop.version == 6:
        return [str(hop), hop.exploded, f"[{hop}]", f"[{hop}]:443"]
    return [str(hop), f"{hop}:443", f"::ffff:{hop}"]


@given(ways(), proxies, st.data())
def test_what_a_client_made_up_never_counts_in_forwarded(
    way: tuple[list[Any], str | None], peer: Any, data: st.DataObject
) -> None:
    hops, address = way
    texts = [data.draw(st.sampled_from(element(hop))) for hop in hops]
    cut = data.draw(st.integers(0, len(texts)))
    lines = [data.draw(st.sampled_from([",", ", ", " ,\t"])).join(part) for part in (texts[:cut], texts[cut:])]
    assert seen(str(peer), *forwarded(*lines), header=FORWARDED) == address


def element(hop: Any) -> list[str]:
    """The ways in which a hop may stand in Forwarded."""
    if not isinstance(hop, str):
        hop = str(hop) if hop.version == 4 else f"[{hop}]"
        nodes = [f'"{hop}"', f'"{hop}:443"', f'"{hop}:_a.b"'] + ([hop] if "[" not in hop else [])
    elif not hop:
        return ["proto=https", ";"]
    else:
        nodes = [hop, f'"{hop}"']
    return [text for node in nodes for text in (f"for={node}", f'Proto=http;FOR={node};host="a\\",;for=1.2.3.4"')]


@given(st.text(st.characters(max_codepoint=255), max_size=60) | st.text(',;="[]:. \\for12', max_size=60))
def test_any_header_is_read_without_an_error(text: str) -> None:
    list(x_forwarded_for_hops(text))
    list(forwarded_hops(text) or ())
    for header, name in ((X_FORWARDED_FOR, b"x-forwarded-for"), (FORWARDED, b"forwarded")):
        address = seen(PROXY, (name, text.encode("latin-1")), header=header)
        assert address is None or ipaddress.ip_address(address)


@pytest.mark.parametrize(
    ("options", "field", "told"),
    [
        ({"trusted_proxies": "10.0.0.1"}, "trusted_proxies", "must be a list: write ['10.0.0.1']"),
        ({"trusted_proxies": "*"}, "trusted_proxies", "would believe whatever a client writes"),
        ({"trusted_proxies": ["*"]}, "trusted_proxies", "would believe whatever a client writes"),
        ({"trusted_proxies": ["0.0.0.0/0"]}, "trusted_proxies", "would believe whatever a client writes"),
        ({"trusted_proxies": ["::/0"]}, "trusted_proxies", "would believe whatever a client writes"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "trusted_proxies", "write '10.0.0.0/8'"),
        ({"trusted_proxies": ["proxy.example"]}, "trusted_proxies", "trusted_proxies[0] 'proxy.example' is no network"),
        ({"header": "forwarded"}, "header", "name them"),
        ({"trusted_proxies": ["10.0.0.1"], "header": "x-real-ip"}, "header", "must be 'x-forwarded-for' or"),
        ({"trusted_proxies": ["10.0.0.1"], "header": None}, "header", "must be 'x-forwarded-for' or"),
        ({"trusted_proxies": ["10.0.0.1"], "header": ["forwarded"]}, "header", "must be 'x-forwarded-for' or"),
    ],
)
def test_options_that_cannot_be_used_are_errors(options: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(BadInputError) as raised:
        Addresses(**options)
    assert raised.value.field == field
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("peer", "lines", "rule"),
    [
        (CLIENT, [], "the peer of the connection, which is no trusted proxy"),
        (None, [], "the connection has no address, as through a UNIX socket"),
        ("garbage", [], "the peer of the connection is not told as an address"),
        (PROXY, [], "there is no x-forwarded-for, though the peer of the connection is a trusted proxy"),
        (PROXY, xff(CLIENT), "the rightmost hop of x-forwarded-for that is no trusted proxy"),
        (PROXY, xff("x"), "the rightmost hop of x-forwarded-for that is no trusted proxy tells no address"),
        (PROXY, xff(PROXY), "every hop of x-forwarded-for is a trusted proxy"),
    ],
)
def test_it_is_told_by_which_rule(peer: Any, lines: list[tuple[bytes, bytes]], rule: str) -> None:
    assert Addresses(PROXIES).seen(scope(peer, *lines)).rule == rule
    assert Addresses().seen(scope(CLIENT)).rule == "the peer of the connection"
    assert Addresses(PROXIES, FORWARDED).seen(scope(PROXY, *forwarded("="))).rule == "forwarded is malformed"
