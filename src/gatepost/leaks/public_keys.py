"""GitHub's public keys: fetched when one is asked for that is not known, at most once a minute, whoever asks.

An id that is not known is remembered as such by the time of the last fetch, so that strangers cannot make us hammer
GitHub. Keys older than an hour are fetched again, and used for a day where that fails.
"""

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import orjson

from gatepost.base import BadInputError, Clock, MissingExtraError, UnavailableError, address_of, boot_clock

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

logger = logging.getLogger("gatepost.leaks")

URL = "https://api.github.com/meta/public_keys/secret_scanning"
"""Where GitHub tells the keys that it signs with."""

AGAIN_SECONDS = 60.0
"""Least time from one fetch to the next."""

FRESH_SECONDS = 3600.0
"""For so long keys are used without another look: one that GitHub has withdrawn is refused then."""

KEPT_SECONDS = 86_400.0
"""For so long they are used where no look succeeds."""

FETCH_SECONDS = 10.0
"""Longest wait for GitHub."""

KEYS_MAX, ANSWER_MAX = 100, 256 * 1024
"""Most keys, and the longest answer in bytes, that are taken."""


class Response(Protocol):
    """What a client answers, as httpx has it."""

    @property
    def status_code(self) -> int:
        """Of HTTP."""

    @property
    def content(self) -> bytes:
        """The body."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, in whatever case."""


class Client(Protocol):
    """What fetches, as httpx has it."""

    async def get(self, url: str, *, headers: Mapping[str, str]) -> Any:
        """A `Response`."""


class PublicKeys:
    """The keys at `url`, by their ids. Raises `BadInputError`, `MissingExtraError`."""

    def __init__(self, url: str, token: str | None, client: Client | None, clock: Clock = boot_clock) -> None:
        if not _is_safe(url):
            raise BadInputError(f"url must be https, where GitHub's public keys are, not {url!r:.100}", "url")
        _check_extra(with_client=client is None)
        self._url = url
        self._headers = {"Accept": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
        self._client = client
        self._clock = clock
        self._keys: dict[str, EllipticCurvePublicKey] = {}
        self._tried: float | None = None
        self._fetched: float | None = None
        self._etag: str | None = None
        self._turn = asyncio.Lock()

    async def find(self, identifier: str) -> "EllipticCurvePublicKey | None":
        """The key with this id; `None` = GitHub has no such one. Raises `UnavailableError` where that is not known, as
        after a fetch that failed. No I/O for one that is known, for an hour."""
        if not self._is_known(identifier):
            async with self._turn:
                if not self._is_known(identifier) and self._may_ask():
                    await self._fetch()
        if self._fetched is None or self._clock() - self._fetched > KEPT_SECONDS:
            raise UnavailableError("GitHub's public keys could not be fetched")
        key = self._keys.get(identifier)
        if key is None and self._fetched != self._tried:
            raise UnavailableError("GitHub's public keys could not be fetched since this one was not known")
        return key

    def _is_known(self, identifier: str) -> bool:
        is_fresh = self._fetched is not None and self._clock() - self._fetched <= FRESH_SECONDS
        return is_fresh and identifier in self._keys

    def _may_ask(self) -> bool:
        return self._tried is None or self._clock() - self._tried >= AGAIN_SECONDS

    async def _fetch(self) -> None:
        self._tried = self._clock()
        headers = self._headers | ({} if self._etag is None else {"If-None-Match": self._etag})
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                response: Response = await _get(self._client, self._url, headers)
            if response.status_code != HTTPStatus.NOT_MODIFIED:
                self._keys = _parsed(response)
                self._etag = response.headers.get("etag")
            self._fetched = self._tried
        except Exception as failure:  # noqa: BLE001 - whatever the client raises
            logger.warning("GitHub's public keys could not be fetched: %s", type(failure).__name__)


def _is_safe(url: str) -> bool:
    """Whether nobody on the way can tell us keys of their own: over https, or on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    address = address_of(parts.hostname)
    is_here = parts.hostname == "localhost" or (address is not None and address.is_loopback)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_here))


async def _get(client: Client | None, url: str, headers: Mapping[str, str]) -> Response:
    if client is not None:
        given: Response = await client.get(url, headers=headers)
        return given
    import httpx2  # noqa: PLC0415 - an extra

    async with httpx2.AsyncClient(timeout=FETCH_SECONDS) as own:
        return await own.get(url, headers=headers)


def _parsed(response: Response) -> "dict[str, EllipticCurvePublicKey]":
    """The keys of an answer. Raises `ValueError` for what is none: then those from before go on."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    if response.status_code != HTTPStatus.OK or len(response.content) > ANSWER_MAX:
        raise ValueError("no answer that could be used")
    told = orjson.loads(response.content)["public_keys"]
    if not isinstance(told, list) or not 0 < len(told) <= KEYS_MAX:
        raise ValueError("no list of keys")
    keys = {}
    for each in told:
        key = load_pem_public_key(each["key"].encode())
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise ValueError("not of the curve P-256")  # noqa: TRY004 - nobody gave it a type
        keys[str(each["key_identifier"])] = key
    return keys


def is_signed(key: "EllipticCurvePublicKey", signature: bytes, body: bytes) -> bool:
    """Whether it is the key's signature of the body: ECDSA over SHA-256, in ASN.1 (FIPS 186-5)."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    try:
        key.verify(signature, body, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _check_extra(*, with_client: bool) -> None:
    try:
        import cryptography  # noqa: F401, PLC0415

        if with_client:
            import httpx2  # noqa: F401, PLC0415
    except ModuleNotFoundError as missing:
        raise MissingExtraError(str(missing.name), "leaks") from None
