"""The cookie of a session: encrypted, short, and renewed by use."""

import time
from base64 import urlsafe_b64decode

import pytest

from gatepost.admin.entry.session import AGE_MAX_SECONDS, Sessions
from gatepost.base.errors import BadInputError

KEYS = [b"n" * 32, b"o" * 32]
SECRET = "gp_of_somebody"
IDLE = 600.0


def test_a_session_is_read_as_it_was_sealed() -> None:
    sessions = Sessions(IDLE)
    now = time.time()
    session = sessions.read(KEYS, sessions.seal(KEYS, SECRET, now - 5), now)
    assert session is not None
    assert session.secret == SECRET
    assert session.began == now - 5
    assert abs(session.used - now) <= 1


@pytest.mark.parametrize("place", [0, 10, -1])
def test_a_changed_cookie_is_no_session(place: int) -> None:
    sessions = Sessions(IDLE)
    text = sessions.seal(KEYS, SECRET, time.time())
    characters = list(text)
    characters[place] = "A" if characters[place] != "A" else "B"
    assert sessions.read(KEYS, "".join(characters), time.time()) is None


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é", "." * 5000])
def test_what_was_never_sealed_is_no_session(text: str) -> None:
    assert Sessions(IDLE).read(KEYS, text, time.time()) is None


def test_a_session_of_an_older_server_key_still_counts_and_one_of_a_foreign_key_does_not() -> None:
    sessions = Sessions(IDLE)
    now = time.time()
    assert sessions.read(KEYS, sessions.seal([KEYS[1]], SECRET, now), now) is not None
    assert sessions.read(KEYS, sessions.seal([b"x" * 32], SECRET, now), now) is None


def test_the_newest_server_key_signs() -> None:
    sessions = Sessions(IDLE)
    now = time.time()
    text = sessions.seal(KEYS, SECRET, now)
    assert sessions.read([KEYS[0]], text, now) is not None
    assert sessions.read([KEYS[1]], text, now) is None


def test_a_session_ends_when_it_is_not_used() -> None:
    sessions = Sessions(IDLE)
    now = time.time()
    text = sessions.seal(KEYS, SECRET, now)
    assert sessions.read(KEYS, text, now + IDLE - 2) is not None
    assert sessions.read(KEYS, text, now + IDLE + 2) is None


def test_a_session_ends_after_twelve_hours_however_much_it_is_used() -> None:
    sessions = Sessions(IDLE)
    now = time.time()
    assert sessions.read(KEYS, sessions.seal(KEYS, SECRET, now - AGE_MAX_SECONDS + 5), now) is not None
    assert sessions.read(KEYS, sessions.seal(KEYS, SECRET, now - AGE_MAX_SECONDS - 5), now) is None


def test_a_use_renews_the_cookie_now_and_then() -> None:
    sessions = Sessions(IDLE)
    now = time.time()
    session = sessions.read(KEYS, sessions.seal(KEYS, SECRET, now), now)
    assert session is not None
    assert not sessions.needs_renewal(session, now + 10)
    assert sessions.needs_renewal(session, now + 61)


def test_the_secret_is_neither_in_the_repr_nor_in_the_cookie() -> None:
    sessions = Sessions(IDLE)
    now = time.time()
    text = sessions.seal(KEYS, SECRET, now)
    assert SECRET not in repr(sessions.read(KEYS, text, now))
    assert SECRET not in text
    assert SECRET.encode() not in urlsafe_b64decode(text)


@pytest.mark.parametrize("seconds", [0, -1, AGE_MAX_SECONDS + 1, float("nan")])
def test_a_session_of_no_time_or_more_than_twelve_hours_is_refused(seconds: float) -> None:
    with pytest.raises(BadInputError, match="session_seconds"):
        Sessions(seconds)
