"""Lists of networks: what may be written, what is in them, and which list is the wider one."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.base.errors import BadInputError
from gatepost.base.networks import (
    JUDGED_MAX,
    NETWORKS_MAX,
    Networks,
    address_of,
    allow_of,
    checked_networks,
    covers,
    networks_of,
    networks_text,
)

addresses = st.ip_addresses(v=4) | st.ip_addresses(v=6) | st.ip_addresses(v=4).map(lambda a: f"::ffff:{a}")
near = st.integers(0, 15).map(lambda n: f"192.0.2.{n}") | st.integers(0, 15).map(lambda n: f"2001:db8::{n:x}")


@st.composite
def networks(draw: st.DrawFn) -> str:
    """Any network, or one among few addresses, so that some are within others."""
    address = ipaddress.ip_address(draw(near | st.ip_addresses().map(str)))
    length = draw(st.integers(0, address.max_prefixlen) | st.integers(address.max_prefixlen - 4, address.max_prefixlen))
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


lists = st.lists(networks(), max_size=6)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ([], ()),
        (["203.0.113.0/24", "2001:db8::/32"], ("203.0.113.0/24", "2001:db8::/32")),
        (["2001:DB8:0::/32", "10.0.0.0/8"], ("10.0.0.0/8", "2001:db8::/32")),
        (["203.0.113.9", "2001:db8::1"], ("203.0.113.9/32", "2001:db8::1/128")),
        (["10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/16"], ("10.0.0.0/8", "10.0.0.0/16")),
        (["::ffff:10.0.0.0/104", "::ffff:192.0.2.1"], ("10.0.0.0/8", "192.0.2.1/32")),
        (["::ffff:0:0/96"], ("0.0.0.0/0",)),
        (["::/0"], ("::/0",)),
        (("192.0.2.1",), ("192.0.2.1/32",)),
    ],
)
def test_a_list_is_kept_in_one_way(given: Any, kept: Any) -> None:
    assert checked_networks("allow", given) == kept
    assert checked_networks("allow", kept) == kept


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("10.0.0.0/8", "must be a list of networks"),
        (b"10.0.0.0/8", "must be a list of networks"),
        (7, "must be a list of networks"),
        (["10.0.0.0/8", None], "allow[1] must be a text"),
        ([ipaddress.ip_network("10.0.0.0/8")], "allow[0] must be a text"),
        (["203.0.113.7/24"], "write '203.0.113.0/24' for the network, or '203.0.113.7' for that address alone"),
        (["2001:db8::1/32"], "write '2001:db8::/32' for the network"),
        (["::ffff:10.0.0.1/104"], "write '10.0.0.0/8' for the network"),
        (["fe80::1%eth0"], "has a zone, which means nothing elsewhere: write 'fe80::1'"),
        (["fe80::%1/64"], "has a zone"),
        (["10.0.0.0/255.0.0.0"], "must end in a number of bits"),
        (["10.0.0.0/"], "must end in a number of bits"),
        (["10.0.0.0/-8"], "must end in a number of bits"),
        (["10.0.0.0/٨"], "must end in a number of bits"),
        (["10.0.0.0/33"], "is no network"),
        (["2001:db8::/129"], "is no network"),
        (["010.0.0.1"], "is no network"),
        (["10.0.0"], "is no network"),
        (["10"], "is no network"),
        ([" 10.0.0.0/8"], "is no network"),
        (["10.0.0.0 /8"], "is no network"),
        (["1O.0.0.0/8"], "is no network"),
        (["localhost"], "is no network"),
        (["*"], "is no network"),
        ([""], "is no network"),
        (["[::1]"], "is no network"),
        (["10.0.0.1:80"], "is no network"),
        (["10.0.0.0-10.0.0.9"], "is no network"),
        ([f"10.0.{n // 256}.{n % 256}" for n in range(NETWORKS_MAX + 1)], f"at most {NETWORKS_MAX} networks, not 101"),
    ],
)
def test_what_is_no_list_of_networks_is_an_error_that_says_what_to_write(given: Any, told: str) -> None:
    with pytest.raises(BadInputError) as raised:
        checked_networks("allow", given)
    assert raised.value.field == "allow"
    assert told in str(raised.value)


@given(lists, addresses.map(str) | near)
def test_an_address_is_in_a_list_where_it_is_in_one_of_its_networks(given: list[str], text: str) -> None:
    address = ipaddress.ip_address(text)
    plain = getattr(address, "ipv4_mapped", None) or address
    kept = checked_networks("allow", given)
    assert kept is not None
    expected = any(plain in ipaddress.ip_network(each) for each in kept)
    held = Networks(kept)
    assert (text in held) is expected
    assert (text in held) is expected, "remembered otherwise"


@pytest.mark.parametrize(
    "text", [None, "", "unknown", "localhost", "fe80::1%eth0", "1.2.3.4:80", "[::1]", "_hidden", 7]
)
def test_what_is_no_address_is_in_no_network(text: Any) -> None:
    assert text not in Networks(("0.0.0.0/0", "::/0"))
    assert address_of(text) is None


def test_nothing_is_in_an_empty_list() -> None:
    assert "192.0.2.1" not in Networks(())


@given(lists, lists, st.lists(near, max_size=8))
def test_a_list_covers_another_where_it_holds_all_of_it(outer: list[str], inner: list[str], some: list[str]) -> None:
    wide, narrow = checked_networks("allow", outer), checked_networks("allow", inner)
    assert wide is not None
    assert narrow is not None
    all_wide, all_narrow = Networks(wide), Networks(narrow)
    if covers(wide, narrow):
        assert all(each in all_wide for each in some if each in all_narrow)
        edges = [str(edge) for each in map(ipaddress.ip_network, narrow) for edge in (each[0], each[-1])]
        assert all(edge in all_wide for edge in edges if edge in all_narrow)
    else:
        assert narrow
    assert covers((*wide, *narrow), narrow)
    assert covers(None, narrow)
    assert covers(wide, ())
    assert not covers(wide, None)


def test_two_halves_cover_their_whole() -> None:
    assert covers(("10.0.0.0/9", "10.128.0.0/9"), ("10.0.0.0/8",))
    assert not covers(("10.0.0.0/9",), ("10.0.0.0/8",))
    assert not covers(("::/0",), ("10.0.0.0/8",))


def test_what_a_list_remembers_is_bounded() -> None:
    held = Networks(("10.0.0.0/8",))
    for number in range(3 * JUDGED_MAX):
        assert f"10.0.0.{number}" in held
        assert len(held.judged) <= JUDGED_MAX


@pytest.mark.parametrize("text", ["", "{", "{}", "null", '"10.0.0.0/8"', '["10.0.0.1/8"]', "[1]", '["x"]'])
def test_a_column_that_cannot_be_read_lets_nobody_in(text: str, caplog: pytest.LogCaptureFixture) -> None:
    networks_of.cache_clear()
    assert allow_of(text) == ()
    assert "refused everywhere" in caplog.text


def test_a_list_goes_into_a_column_and_comes_back() -> None:
    kept = ("10.0.0.0/8", "2001:db8::/32")
    assert allow_of(networks_text(kept)) == kept
    assert allow_of(networks_text(())) == ()
    assert networks_text(None) is None
    assert allow_of(None) is None
