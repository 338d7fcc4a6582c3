"""The secret's text: `gp_<id>_<body><crc>` (docs/decisions/0001), or `gp_test_<id>_…` and `gp_live_…` of a key that is
for one environment (0055). Pure: no I/O; randomness only in `new_*`.

    gp _ 4fT0aK9sQ2Lm _ <43 base62 = 32 bytes: 20 random, 12 of HMAC> <6 base62 = CRC-32>

The HMAC over prefix, id and random lets a worker refuse invented secrets with no I/O; the CRC lets a scanner
check a find offline. A 160-bit random secret needs no slow hash (NIST SP 800-63B; OWASP ASVS 5.0, 6.5.2).
"""

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gatepost.base.errors import BadInputError
from gatepost.base.models import ENVIRONMENTS

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Base62 in ASCII order, so that texts of one length sort as their numbers."""

ID_CHARS = 12
RANDOM_BYTES = 20
MAC_BYTES = 12
BODY_CHARS = 43
"""Base62 digits that 32 bytes need: 62**43 > 2**256 > 62**42."""
CRC_CHARS = 6
"""Base62 digits that 32 bits need: 62**6 > 2**32 > 62**5."""
DIGEST_BYTES = 32
SERVER_KEY_BYTES = 32
"""Least length of a server key: the output of the hash it keys (RFC 2104, section 3)."""
SECRET_MAX = 512
"""Longest secret that is looked up, in bytes: gatepost's own have under 100; foreign ones get room."""
PREFIX_MAX = 32
"""Longest prefix, in characters, so that a secret has at most 100 characters."""

BLANKS = b" \t"
"""What may stand around a secret and is no part of it (RFC 9110, section 5.5). Most servers take it off."""

DEFAULT_PREFIX = "gp"
_UNDERSCORE = ord("_")
_PREFIX = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_ID = re.compile(rf"[0-9A-Za-z]{{{ID_CHARS}}}\Z")
_NO_DIGIT = 255
_VALUES = bytes(ALPHABET.find(chr(byte)) % 256 for byte in range(256))
"""The value of each byte as a digit; -1, which is 255, for one that is none."""
_JOINS = tuple(
    (bits, sum((1 << bits) - 1 << place for place in range(0, 512, 2 * bits)), 62 ** (bits // 8))
    for bits in (8, 16, 32, 64, 128, 256)
)
"""For digits that are `bits` wide each: the bits of every second one from the right on, and the base they are of. 64
digits of base 62 are 512 bits; a digit of base 62**n is below 2**8n."""


def secret_pattern(prefix: str = DEFAULT_PREFIX) -> str:
    """The regular expression for secret scanners: every secret with this prefix matches it whole, whatever environment
    its key is for.

    It asks nothing of what stands in front: where secrets leak that is often a letter or a digit, as in `\\n` of JSON,
    `%3D` of a URL, `[32m` of a terminal. A scanner that can compute should also check the last six characters with
    `checksum`, so that the end of a longer word is none. Written in what engines have in common (docs/scanners.md).
    Raises `BadInputError` for a prefix that no secret has.
    """
    rest = rf"[0-9A-Za-z]{{{ID_CHARS}}}_[0-9A-Za-z]{{{BODY_CHARS + CRC_CHARS}}}\b"
    return "|".join(f"{begin}_{rest}" for begin in _begins(check_prefix(prefix)).values())


def encode_base62(number: int, width: int) -> str:
    """`number` (not negative, below 62**width) in exactly `width` base62 digits, most significant first."""
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def decode_base62(digits: bytes) -> int | None:
    """The number that up to 64 ASCII base62 `digits` write, or `None` where a byte is no digit. About 1.5 µs.

    All at once: in a number of as many bytes as there are digits, neighbours are joined to one digit of base 62**2,
    those to one of 62**4, and so on, each time by one multiplication of the whole.
    """
    values = digits.translate(_VALUES)
    if _NO_DIGIT in values:
        return None
    number = int.from_bytes(values)
    for bits, low, base in _JOINS[: (len(values) - 1).bit_length()]:
        number = (number & low) + base * (number >> bits & low)
    return number


def checksum(text: bytes) -> bytes:
    """The six base62 characters that follow `text` in a secret: its CRC-32 (ISO 3309, as in zlib)."""
    return encode_base62(zlib.crc32(text), CRC_CHARS).encode()


def digest(secret: bytes) -> bytes:
    """SHA-256 of the secret's bytes, 32 bytes: all that is stored of it."""
    return hashlib.sha256(secret).digest()


def hint(secret: str) -> str:
    """What people may see of a secret: its prefix, the first four characters of the id, and the last four of all."""
    head, _, _ = secret.rpartition("_")
    return f"{head[: len(head) - ID_CHARS + 4]}...{secret[-4:]}"


def hint_is_of(told: str, key_id: str) -> bool:
    """Whether a hint is that of a secret which was made for the key `key_id`. Ids of keys that are imported are made as
    they are imported: no hint that is told with them has them."""
    return re.search(rf"_{re.escape(key_id[:4])}\.\.\.[0-9A-Za-z]{{4}}\Z", told) is not None


def _begins(prefix: str) -> Mapping[str | None, str]:
    """How secrets begin, by the environment that their keys are for."""
    return {None: prefix, **{environment: f"{prefix}_{environment}" for environment in ENVIRONMENTS}}


def is_id(text: str) -> bool:
    """Whether a text can be the id of a key: databases differ in what they make of odd text."""
    return _ID.match(text) is not None


def new_id() -> str:
    """A random key id: 12 base62 characters, 71 bits."""
    return encode_base62(secrets.randbelow(62**ID_CHARS), ID_CHARS)


def derived_seed(server_key: bytes, label: str) -> tuple[str, bytes]:
    """A key id and 20 bytes that only holders of the server key can tell from `label`, always the same: for a secret
    that can be made again without having been stored. HMAC-SHA-512 (RFC 2104)."""
    seed = hmac.digest(server_key, b"gatepost seed\0" + label.encode(), "sha512")
    number = int.from_bytes(seed[RANDOM_BYTES:]) % 62**ID_CHARS
    return encode_base62(number, ID_CHARS), seed[:RANDOM_BYTES]


def new_server_key() -> bytes:
    """A random server key, 32 bytes."""
    return secrets.token_bytes(SERVER_KEY_BYTES)


class _Form(NamedTuple):
    """How the secrets of one environment look: `head` stands before the id, `macs` are begun with what is signed before
    it, one for each server key."""

    environment: str | None
    head: bytes
    macs: Sequence[hmac.HMAC]


@dataclass(frozen=True, slots=True)
class SecretFormat:
    """Makes and checks secrets with one prefix under a list of server keys: the first makes, all check. Of a key that
    is for one environment the secret says so: `gp_test_…`; its HMAC is over that too.

    `prefix`: `[a-z][a-z0-9]*(_[a-z0-9]+)*`, at most 32 characters. `server_keys`: at least one, each 32 bytes or more.
    Raises `BadInputError` for anything else.
    """

    server_keys: Sequence[bytes] = field(repr=False)
    prefix: str = DEFAULT_PREFIX
    _forms: Mapping[str | None, _Form] = field(init=False, repr=False, compare=False)
    _by_length: Mapping[int, Sequence[_Form]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        begins = _begins(check_prefix(self.prefix))
        if isinstance(self.server_keys, bytes | str):
            raise BadInputError("server_keys must be a list of keys, not a single one")
        if not self.server_keys:
            raise BadInputError("server_keys is empty: give at least one server key")
        for number, key in enumerate(self.server_keys):
            if not isinstance(key, bytes) or len(key) < SERVER_KEY_BYTES:
                raise BadInputError(f"server_keys[{number}] must be {SERVER_KEY_BYTES} bytes or more")
        forms = {
            environment: _Form(
                environment,
                f"{begin}_".encode(),
                tuple(hmac.new(key, begin.encode(), _sha256) for key in self.server_keys),  # keyed once
            )
            for environment, begin in begins.items()
        }
        by_length: dict[int, list[_Form]] = {}
        for form in forms.values():
            by_length.setdefault(len(form.head) + ID_CHARS + 1 + BODY_CHARS + CRC_CHARS, []).append(form)
        object.__setattr__(self, "_forms", forms)
        object.__setattr__(self, "_by_length", by_length)

    def make(self, key_id: str, random: bytes | None = None, environment: str | None = None) -> str:
        """A secret for the key `key_id`. `random`: 20 bytes, fresh ones where `None` (tests pass their own).
        `environment`: that the key is for; `None` = either."""
        if random is None:
            random = secrets.token_bytes(RANDOM_BYTES)
        form = self._forms[environment]
        body = random + _ended(form.macs[0], key_id.encode(), random)
        text = f"{form.head.decode()}{key_id}_{encode_base62(int.from_bytes(body), BODY_CHARS)}"
        return text + checksum(text.encode()).decode()

    def body(self, secret: bytes) -> bytes | None:
        """The 20 random bytes of a secret and the 12 of its MAC, or `None` where its form or checksum is wrong. Whether
        the MAC is right is not known yet. About 3 µs, 0.1 µs for a wrong length."""
        form = self._form_of(secret)
        return None if form is None else _body(form, secret)

    def is_genuine(self, secret: bytes) -> bool:
        """Whether `secret` was made under one of the server keys: form, checksum and MAC. No I/O; about 5 µs."""
        return self.key_id(secret) is not None

    def key_id(self, secret: bytes) -> str | None:
        """The id of the key that `secret` was made for; `None` = it is not genuine."""
        found = self.read(secret)
        return None if found is None else found[0]

    def read(self, secret: bytes) -> tuple[str, str | None] | None:
        """The id of the key that `secret` was made for, and the environment that it is for, `None` = either. Without
        them it is not genuine."""
        form = self._form_of(secret)
        body = None if form is None else _body(form, secret)
        if form is None or body is None:
            return None
        start = len(form.head)
        key_id, random, mac = secret[start : start + ID_CHARS], body[:RANDOM_BYTES], body[RANDOM_BYTES:]
        if any(hmac.compare_digest(mac, _ended(begun, key_id, random)) for begun in form.macs):
            return key_id.decode(), form.environment
        return None

    def id_in(self, genuine: bytes) -> str | None:
        """The id of the key that a secret was made for which is known to be genuine; `None` = it is of another format,
        so imported."""
        form = self._form_of(genuine)
        return None if form is None else genuine[len(form.head) :][:ID_CHARS].decode()

    def _form_of(self, secret: bytes) -> _Form | None:
        """By length and beginning; `None` = it is of another format."""
        for form in self._by_length.get(len(secret), ()):
            if secret.startswith(form.head):
                return form
        return None


def _body(form: _Form, secret: bytes) -> bytes | None:
    """As `SecretFormat.body`, of a secret that has this form's length and beginning."""
    start = len(form.head)
    end = start + ID_CHARS
    if secret[end] != _UNDERSCORE or not secret[start:end].isalnum():
        return None
    number = decode_base62(secret[end + 1 :])
    if number is None:
        return None
    body: int
    body, crc = divmod(number, 62**CRC_CHARS)
    if crc != zlib.crc32(secret[:-CRC_CHARS]) or body >= 1 << 8 * (RANDOM_BYTES + MAC_BYTES):
        return None
    return body.to_bytes(RANDOM_BYTES + MAC_BYTES)


def _sha256(data: bytes = b"") -> "hashlib._Hash":
    """As a function of ours it has `hmac` put the two hashes of RFC 2104 together itself: by OpenSSL's own HMAC each
    secret costs four times as much, which is keyed and looked up anew each time (docs/decisions/0041)."""
    return hashlib.sha256(data)


def _ended(begun: hmac.HMAC, key_id: bytes, random: bytes) -> bytes:
    mac = begun.copy()
    mac.update(key_id + random)
    return mac.digest()[:MAC_BYTES]


class Untold:
    """A secret that has been made, or read back, and is not told yet: no repr shows its `text`."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Presented:
    """A secret that a caller has shown, on its way to be judged. Nothing of its text is to be seen in it, so that what
    reports errors with the variables of each frame reports no secret; once the text is checked it is forgotten.

    `digest`: 32 bytes; given in place of a text whose form and HMAC were checked before. `fresh`: to be judged on the
    database's word, whatever is remembered. `address`: where it was shown from, `None` = nobody knows: a key that may
    be used from some networks alone is refused then. `key_id`: of the key that it is of, or was made for, once that is
    known for certain; `environment`: that a genuine one says its key is for. `claims`: of a temporary secret that is
    genuine. Spaces and tabs around the text are no part of it (RFC 9110, section 5.5)."""

    __slots__ = ("_text", "address", "claims", "digest", "environment", "fresh", "key_id")

    def __init__(
        self, text: bytes = b"", *, digest: bytes | None = None, fresh: bool = False, address: str | None = None
    ) -> None:
        text = text.strip(b" \t")
        self._text = text if digest is None else None
        self.digest = hashlib.sha256(text).digest() if digest is None else digest
        self.fresh = fresh
        self.address = address
        self.key_id: str | None = None
        self.environment: str | None = None
        self.claims: Any = None

    @property
    def is_shown(self) -> bool:
        """Whether somebody has just shown the text, and it has not been checked yet."""
        return self._text is not None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be judged."""
        return self._text == b""

    def may_exist(
        self, secret_format: SecretFormat, *, foreign: bool, temporary: Callable[[bytes], Any] = lambda _text: None
    ) -> bool:
        """Whether it can open anything: it was made under one of the server keys, or is `foreign`, any text of at most
        512 bytes. `temporary`: answers the claims of a temporary secret that is genuine. No I/O; about 5 µs."""
        text, self._text = self._text, None
        if text is None:
            return True
        if not 0 < len(text) <= SECRET_MAX:
            return False
        found = secret_format.read(text)
        if found is not None:
            self.key_id, self.environment = found
        else:
            self.claims = temporary(text)
        return foreign or found is not None or self.claims is not None

    def recall(self, secret_format: SecretFormat, *, foreign: bool) -> None:
        """It is remembered that no key has it: it was checked before, so its key's id is read off it. Only where
        `foreign` texts are looked up too is it checked again."""
        text, self._text = self._text, None
        if text is not None:
            self.key_id = secret_format.key_id(text) if foreign else secret_format.id_in(text)


def check_prefix(prefix: str) -> str:
    """`prefix` itself. Raises `BadInputError` where it cannot begin a secret."""
    if not isinstance(prefix, str) or len(prefix) > PREFIX_MAX or not _PREFIX.match(prefix):
        raise BadInputError(
            f"prefix {prefix!r} must be lower-case letters and digits in groups joined by single underscores, "
            f"begin with a letter, and have at most {PREFIX_MAX} characters",
            "prefix",
        )
    return prefix
