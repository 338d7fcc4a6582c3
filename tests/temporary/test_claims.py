"""The text of a temporary secret: what is packed is read back, and nothing else is read at all."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost import DAM, BadInputError, Quota, Rate, Slots
from gatepost.base import Limit, Limits, Networks, checked_networks
from gatepost.temporary import TEXT_MAX, Claims, TemporaryFormat, tags_of

KEY, OTHER = b"k" * 32, b"o" * 32
FORMAT = TemporaryFormat([KEY], "gp")

NETWORKS = ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7", "0.0.0.0/0", "::/0"]
LIMITS: list[Limit] = [
    Rate(100, per=60),
    Rate(5, per=3600, burst=2, name="hour", on_outage="closed"),
    Quota(1000, per="day", name="plan"),
    Slots(3),
]

claims = st.builds(
    Claims,
    id=st.binary(min_size=8, max_size=8),
    digest=st.binary(min_size=32, max_size=32),
    issued_at=st.integers(0, 2**32 - 1),
    expires_at=st.integers(0, 2**32 - 1),
    tags=st.none() | st.frozensets(st.binary(min_size=4, max_size=4), max_size=10),
    networks=st.none()
    | st.lists(st.sampled_from(NETWORKS), max_size=3).map(
        lambda texts: Networks(checked_networks("allow", texts) or ())
    ),
    limits=st.lists(st.sampled_from(LIMITS), unique=True, max_size=2).map(Limits),
    subject=st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=10),
)


def parts(claims: Claims) -> tuple[object, ...]:
    networks = None if claims.networks is None else claims.networks.texts
    return (
        claims.id,
        claims.digest,
        claims.issued_at,
        claims.expires_at,
        claims.tags,
        networks,
        claims.limits,
        claims.subject,
    )


@given(claims)
def test_what_was_packed_is_read_back(made: Claims) -> None:
    text = FORMAT.make(made)
    assert len(text) < 300
    assert re.fullmatch(r"gpt_[A-Za-z0-9_-]+", text), "what a header, a query and a subprotocol take as it is"
    read = FORMAT.read(text.encode())
    assert read is not None
    assert parts(read) == parts(made)


@given(claims, st.data())
def test_no_other_text_is_read(made: Claims, data: st.DataObject) -> None:
    text = FORMAT.make(made).encode()
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[place]))
    assert FORMAT.read(text[:place] + bytes([byte]) + text[place + 1 :]) is None
    assert FORMAT.read(text[:place]) is None
    assert FORMAT.read(text + bytes([byte])) is None
    assert FORMAT.read(text + b"=") is None
    assert TemporaryFormat([OTHER], "gp").read(text) is None
    assert TemporaryFormat([KEY], "gq").read(text) is None
    assert TemporaryFormat([OTHER, KEY], "gp").read(text) is not None, "an older key reads on"


@given(st.binary(max_size=400))
def test_nothing_that_is_sent_makes_it_fail(text: bytes) -> None:
    assert FORMAT.read(text) is None
    assert FORMAT.read(b"gpt_" + text) is None
    assert FORMAT.read(b"gpt_" + base64.urlsafe_b64encode(text).rstrip(b"=")) is None


@given(st.binary(max_size=200))
def test_nothing_that_another_version_signed_makes_it_fail(packed: bytes) -> None:
    """Whoever has the key may pack what this version does not know."""
    mac = FORMAT._mac(FORMAT._begun[0], packed)
    read = FORMAT.read(b"gpt_" + base64.urlsafe_b64encode(packed + mac).rstrip(b"="))
    assert read is None or FORMAT.read(FORMAT.make(read).encode()) is not None


def test_all_permissions_of_the_catalogue_fit_with_a_subject() -> None:
    made = Claims(bytes(8), bytes(32), 1, 2, tags=tags_of(DAM), subject="a" * 28)
    assert len(DAM) == 31
    assert 250 < len(FORMAT.make(made)) <= TEXT_MAX
    with pytest.raises(BadInputError, match="fewer permissions"):
        FORMAT.make(Claims(bytes(8), bytes(32), 1, 2, tags=tags_of(DAM), subject="a" * 100))


def test_nothing_of_it_is_in_a_repr() -> None:
    made = Claims(bytes(8), b"d" * 32, 1, 2, subject="ann")
    assert "ann" not in repr(made)
    assert "ddd" not in repr(made)
    assert "kkk" not in repr(FORMAT)
