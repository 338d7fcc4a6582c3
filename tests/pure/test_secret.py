"""The secret's text: what is made is checked, what is not is refused."""

import hashlib
import hmac
import re
import string
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatepost.base.errors import BadInputError
from gatepost.base.models import ImportedKey, Issued
from gatepost.base.secret import (
    ALPHABET,
    PREFIX_MAX,
    SecretFormat,
    check_prefix,
    checksum,
    decode_base62,
    digest,
    encode_base62,
    hint,
    new_id,
    new_server_key,
    secret_pattern,
)
from tests.pure.records import record

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
ID = "4fT0aK9sQ2Lm"
RANDOM = bytes(range(100, 120))

prefixes = st.from_regex(r"[a-z][a-z0-9]{0,5}(_[a-z0-9]{1,5}){0,3}", fullmatch=True)
ids = st.text(BASE62, min_size=12, max_size=12)
randoms = st.binary(min_size=20, max_size=20)
server_keys = st.binary(min_size=32, max_size=64)


def base62(number: int, width: int) -> str:
    """Base62 from the front, by powers: another way than the source's."""
    assert 0 <= number < 62**width
    return "".join(BASE62[number // 62**place % 62] for place in range(width - 1, -1, -1))


def crc32(data: bytes) -> int:
    """CRC-32 of ISO 3309, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sealed(head: bytes) -> bytes:
    """Any text with the checksum that fits it."""
    return head + base62(crc32(head), 6).encode()


def forged(number: int, *, key_id: str = ID, prefix: str = "gp") -> bytes:
    """A text of the right form and checksum whose body is `number`."""
    return sealed(f"{prefix}_{key_id}_{base62(number, 43)}".encode())


def made_elsewhere(server_key: bytes, prefix: str, key_id: str, random: bytes) -> str:
    """A secret as DESIGN section 4 tells, by other code than the source's."""
    mac = hmac.new(server_key, prefix.encode() + key_id.encode() + random, hashlib.sha256).digest()[:12]
    return forged(int.from_bytes(random + mac, "big"), key_id=key_id, prefix=prefix).decode()


@given(prefixes, ids, randoms, server_keys)
def test_what_is_made_holds_its_parts_and_is_genuine(
    prefix: str, key_id: str, random: bytes, server_key: bytes
) -> None:
    form = SecretFormat([server_key], prefix)
    secret = form.make(key_id, random)
    body = form.body(secret.encode())
    assert body is not None
    assert (secret[len(prefix) + 1 :][:12], body[:20], len(body)) == (key_id, random, 32)
    assert form.is_genuine(secret.encode())


@given(prefixes, ids, randoms, server_keys)
def test_secrets_are_those_that_the_design_tells_of(prefix: str, key_id: str, random: bytes, server_key: bytes) -> None:
    assert SecretFormat([server_key], prefix).make(key_id, random) == made_elsewhere(server_key, prefix, key_id, random)


@given(prefixes, ids, randoms, server_keys, st.sampled_from(["live", "test"]))
def test_a_secret_says_which_environment_its_key_is_for_and_its_hmac_is_over_that(
    prefix: str, key_id: str, random: bytes, server_key: bytes, environment: str
) -> None:
    form = SecretFormat([server_key], prefix)
    secret = form.make(key_id, random, environment)
    assert secret == made_elsewhere(server_key, f"{prefix}_{environment}", key_id, random)
    assert form.key_id(secret.encode()) == form.id_in(secret.encode()) == key_id
    assert form.read(secret.encode()) == (key_id, environment)
    assert form.read(form.make(key_id, random).encode()) == (key_id, None)
    assert form.id_in(b"imported") is None
    other = {"live": "test", "test": "live"}[environment]
    for moved in (secret.replace(f"_{environment}_", f"_{other}_", 1), secret.replace(f"_{environment}_", "_", 1)):
        assert not form.is_genuine(sealed(moved[:-6].encode())), "nobody moves a secret to another environment"


@pytest.mark.parametrize(
    ("prefix", "key_id", "random", "server_key", "secret"),
    [
        ("gp", ID, RANDOM, KEY, "gp_4fT0aK9sQ2Lm_No287qEH4uQv9vBo5cxQTXAw02KAdOx5f63xA6YfciP1sgEzo"),
        ("gp", "0" * 12, bytes(20), bytes(32), "gp_000000000000_000000000000000000000000000kBJBb4v5PdGwHgBu3z1eiV"),
        (
            "acme_live",
            "z" * 12,
            b"\xff" * 20,
            b"k" * 64,
            "acme_live_zzzzzzzzzzzz_yhjskwdA6OZ1AL1YmHWZWm8LLG60RMdauEheIDW5jUs1X4UPI",
        ),
    ],
)
def test_known_answers_never_change(prefix: str, key_id: str, random: bytes, server_key: bytes, secret: str) -> None:
    assert SecretFormat([server_key], prefix).make(key_id, random) == secret
    assert SecretFormat([server_key], prefix).is_genuine(secret.encode())


def test_the_checksum_is_crc_32_as_published() -> None:
    assert crc32(b"123456789") == 0xCBF43926  # the check value of ISO 3309's CRC
    assert checksum(b"123456789") == base62(0xCBF43926, 6).encode()


@given(st.binary(max_size=200))
def test_the_checksum_of_any_bytes_is_their_crc_in_six_digits(data: bytes) -> None:
    assert checksum(data) == base62(crc32(data), 6).encode()


def test_the_digest_is_sha_256_as_published() -> None:
    assert digest(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4


def test_every_change_of_one_byte_is_refused() -> None:
    form = SecretFormat([KEY])
    secret = form.make(ID, RANDOM).encode()
    for place in range(len(secret)):
        for byte in range(256):
            changed = secret[:place] + bytes([byte]) + secret[place + 1 :]
            assert changed == secret or form.body(changed) is None


@given(prefixes, ids, randoms, st.data())
def test_a_changed_missing_added_or_swapped_character_is_refused(
    prefix: str, key_id: str, random: bytes, data: st.DataObject
) -> None:
    form = SecretFormat([KEY], prefix)
    secret = form.make(key_id, random).encode()
    place = data.draw(st.integers(0, len(secret) - 1))
    byte = data.draw(st.binary(min_size=1, max_size=1))
    before, after = secret[:place], secret[place + 1 :]
    swapped = before + after[:1] + secret[place : place + 1] + after[1:]
    for changed in (before + byte + after, before + after, before + byte + secret[place:], swapped, secret + byte):
        assert changed == secret or form.body(changed) is None
        assert changed == secret or not form.is_genuine(changed)


@given(st.binary(max_size=120) | st.binary(min_size=65, max_size=65))
def test_no_invented_bytes_are_genuine_or_raise(data: bytes) -> None:
    form = SecretFormat([KEY])
    assert form.body(data) is None
    assert not form.is_genuine(data)
    assert not form.is_genuine(sealed(data))


@given(ids, randoms, server_keys, server_keys)
def test_a_secret_of_another_server_key_is_refused(
    key_id: str, random: bytes, server_key: bytes, other_key: bytes
) -> None:
    assume(server_key.ljust(64, b"\0") != other_key.ljust(64, b"\0"))  # HMAC pads its key with zeros (RFC 2104)
    secret = SecretFormat([other_key]).make(key_id, random).encode()
    assert SecretFormat([server_key]).body(secret) is not None
    assert not SecretFormat([server_key]).is_genuine(secret)


@given(ids, randoms, st.integers(0, 2**256 - 1))
def test_a_changed_id_random_or_mac_with_the_right_checksum_is_not_genuine(
    key_id: str, random: bytes, body: int
) -> None:
    form = SecretFormat([KEY])
    genuine = form.make(ID, RANDOM).encode()
    assert not form.is_genuine(forged(body))
    own_body = decode_base62(genuine[16:59])
    assert own_body is not None
    assert form.is_genuine(forged(own_body))
    for bit in (0, 95, 96, 255):  # both ends of the MAC and of the random bytes
        assert not form.is_genuine(forged(own_body ^ 1 << bit))
    assert key_id == ID or not form.is_genuine(forged(own_body, key_id=key_id))


@given(prefixes, prefixes, ids, randoms)
def test_a_secret_is_of_one_prefix_only(prefix: str, other: str, key_id: str, random: bytes) -> None:
    assume(prefix != other)
    secret = SecretFormat([KEY], prefix).make(key_id, random).encode()
    assert SecretFormat([KEY], other).body(secret) is None
    body = SecretFormat([KEY], prefix).body(secret)
    assert body is not None
    moved = forged(int.from_bytes(body, "big"), key_id=key_id, prefix=other)
    assert SecretFormat([KEY], other).body(moved) == body
    assert not SecretFormat([KEY], other).is_genuine(moved)


@given(st.lists(server_keys, min_size=1, max_size=4, unique=True), ids, randoms)
def test_the_first_server_key_makes_and_all_check(keys: list[bytes], key_id: str, random: bytes) -> None:
    rotated = SecretFormat(keys)
    assert rotated.make(key_id, random) == SecretFormat(keys[:1]).make(key_id, random)
    for key in keys:
        assert rotated.is_genuine(SecretFormat([key]).make(key_id, random).encode())


def test_a_server_key_taken_off_the_list_checks_no_more() -> None:
    old = SecretFormat([OTHER_KEY]).make(ID, RANDOM).encode()
    assert SecretFormat([KEY, OTHER_KEY]).is_genuine(old)
    assert not SecretFormat([KEY]).is_genuine(old)


@given(ids, st.integers(0, 2**256 - 1) | st.integers(2**256, 62**43 - 1) | st.sampled_from([2**256 - 1, 2**256]))
def test_one_text_for_one_secret_and_no_body_above_32_bytes(key_id: str, body: int) -> None:
    text = forged(body, key_id=key_id)
    read = SecretFormat([KEY]).body(text)
    assert (read is None) == (body >= 2**256)
    if read is not None:
        assert int.from_bytes(read, "big") == body


@pytest.mark.parametrize("odd", [b"\0", b"\xe9", b"\xff", b"_", b"-", b" ", b"+", b"/", b"\n"])
@pytest.mark.parametrize("place", [3, 14, 16, 58])
def test_bytes_that_are_no_digits_are_refused_though_the_checksum_fits(place: int, odd: bytes) -> None:
    head = bytearray(SecretFormat([KEY]).make(ID, RANDOM).encode()[:-6])
    head[place : place + 1] = odd
    form = SecretFormat([KEY])
    assert form.body(sealed(bytes(head))) is None
    assert not form.is_genuine(sealed(bytes(head)))


@pytest.mark.parametrize("place", [0, 2, 15])
def test_the_prefix_and_the_underscores_are_fixed_though_the_checksum_fits(place: int) -> None:
    head = bytearray(SecretFormat([KEY]).make(ID, RANDOM).encode()[:-6])
    head[place] = ord("x")
    assert SecretFormat([KEY]).body(sealed(bytes(head))) is None


@given(prefixes | st.just("a" * PREFIX_MAX))
def test_a_secret_has_a_fixed_length_below_100_characters(prefix: str) -> None:
    secret = SecretFormat([KEY], prefix).make(ID)
    assert len(secret) == len(prefix) + 1 + 12 + 1 + 43 + 6 < 100


@given(prefixes, ids, randoms, st.text(), st.text())
def test_the_published_pattern_finds_every_secret_whole(
    prefix: str, key_id: str, random: bytes, before: str, after: str
) -> None:
    secret = SecretFormat([KEY], prefix).make(key_id, random)
    pattern = secret_pattern(prefix)
    assert re.fullmatch(pattern, secret)
    for opening, closing in (("", ""), ("=", "\n"), ('"', '"'), (" ", ","), ("/", "?"), ("Bearer ", ";"), ("é\t", ".")):
        text = f"{before}{opening if before else ''}{secret}{closing if after else ''}{after}"
        if re.match(r"\w", closing + after):
            continue
        assert secret in re.findall(pattern, text)


def test_the_published_pattern_finds_nothing_shorter_longer_or_of_another_prefix() -> None:
    secret = SecretFormat([KEY]).make(ID)
    for text in (secret[:-1], secret + "A", secret.replace("gp_", "gq_"), "a " + secret[1:]):
        assert not re.search(secret_pattern(), text)


@pytest.mark.parametrize("prefix", [".", "a.b", "", "(a|b)"])
def test_no_pattern_is_published_for_what_is_no_prefix(prefix: str) -> None:
    with pytest.raises(BadInputError, match="prefix"):
        secret_pattern(prefix)


@given(prefixes, ids, randoms)
def test_a_scanner_can_check_a_find_with_the_checksum_alone(prefix: str, key_id: str, random: bytes) -> None:
    secret = SecretFormat([KEY], prefix).make(key_id, random).encode()
    assert checksum(secret[:-6]) == secret[-6:]


@given(prefixes, ids, randoms)
def test_the_hint_shows_prefix_four_of_the_id_and_the_last_four_only(prefix: str, key_id: str, random: bytes) -> None:
    secret = SecretFormat([KEY], prefix).make(key_id, random)
    assert hint(secret) == f"{prefix}_{key_id[:4]}...{secret[-4:]}"


def test_no_repr_holds_secret_material() -> None:
    form = SecretFormat([KEY])
    secret = form.make(ID, RANDOM)
    assert repr(form) == "SecretFormat(prefix='gp')"
    key = record()
    assert repr(Issued(key, secret)) == f"Issued(key={key!r})"
    assert str(Issued(key, secret)) == repr(Issued(key, secret))
    imported = ImportedKey(digest=digest(secret.encode()), description="old")
    assert "digest" not in repr(imported)
    assert repr(imported) == repr(ImportedKey(digest=bytes(32), description="old"))


def test_no_randomness_is_used_twice() -> None:
    form = SecretFormat([KEY])
    bodies = [form.body(form.make(ID).encode()) for _ in range(500)]
    assert len({body[:20] for body in bodies if body is not None}) == 500
    assert len({new_id() for _ in range(500)}) == 500
    assert len({new_server_key() for _ in range(500)}) == 500


def test_new_ids_and_server_keys_have_their_form() -> None:
    ids = [new_id() for _ in range(500)]
    assert all(re.fullmatch("[0-9A-Za-z]{12}", key_id) for key_id in ids)
    assert set("".join(ids)) == set(BASE62)  # no digit is left out
    assert {len(new_server_key()) for _ in range(10)} == {32}


@pytest.mark.parametrize(
    "prefix",
    ["", "GP", "Gp", "1gp", "_gp", "gp_", "g__p", "g-p", "gp ", "gp\n", "g\0", "gé", "ⅷ", "a" * 33, None, 5, b"gp"],
)
def test_a_bad_prefix_is_refused_by_name(prefix: str) -> None:
    with pytest.raises(BadInputError, match=r"^prefix "):
        SecretFormat([KEY], prefix)
    with pytest.raises(BadInputError, match=r"^prefix "):
        check_prefix(prefix)


@given(st.text(max_size=40))
def test_only_prefixes_of_the_documented_form_are_taken(prefix: str) -> None:
    documented = re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", prefix, re.ASCII) is not None and len(prefix) <= 32
    try:
        assert check_prefix(prefix) == prefix
    except BadInputError:
        assert not documented
    else:
        assert documented


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ([], "server_keys is empty"),
        ([b"short"], r"server_keys\[0\]"),
        ([KEY, b"x" * 31], r"server_keys\[1\]"),
        ([KEY, KEY.hex()], r"server_keys\[1\]"),
        ([None], r"server_keys\[0\]"),
        (KEY, "server_keys must be a list"),
        (KEY.hex(), "server_keys must be a list"),
    ],
)
def test_bad_server_keys_are_refused_by_number_and_not_shown(keys: list[bytes], named: str) -> None:
    with pytest.raises(BadInputError, match=named) as caught:
        SecretFormat(keys)
    assert "short" not in str(caught.value)
    assert KEY.hex() not in str(caught.value)
    assert repr(KEY) not in str(caught.value)


@given(st.integers(0, 62**12 - 1), st.integers(0, 62**12 - 1))
def test_base62_texts_of_one_length_sort_as_their_numbers(one: int, other: int) -> None:
    texts = encode_base62(one, 12), encode_base62(other, 12)
    assert (one < other) == (texts[0] < texts[1])
    assert (one < other) == (texts[0].encode() < texts[1].encode())


def test_the_base62_alphabet_is_in_ascii_order() -> None:
    assert ALPHABET == BASE62
    assert all(one < other for one, other in pairwise(ALPHABET))


@given(st.integers(0, 2**256))
def test_base62_round_trips_and_agrees_with_the_other_algorithm(number: int) -> None:
    assert encode_base62(number, 44) == base62(number, 44)
    assert decode_base62(base62(number, 44).encode()) == number


@given(st.binary(max_size=20))
def test_base62_of_other_bytes_is_no_number(digits: bytes) -> None:
    assert (decode_base62(digits) is None) == bool(set(digits) - set(BASE62.encode()))
