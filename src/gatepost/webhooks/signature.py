"""Signatures of Standard Webhooks 1.0.0: HMAC-SHA-256 over id, moment and body, joined by dots. Pure."""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence

from gatepost.base import BadInputError

PREFIX = "whsec_"
BYTES_MIN, BYTES_MAX = 24, 64
"""Length of a secret, as the standard has it."""


def parsed_secret(text: str) -> bytes:
    """The bytes of a signing secret. Raises `BadInputError`, without its text."""
    advice = (
        f"a signing secret must be {PREFIX!r} and {BYTES_MIN} to {BYTES_MAX} bytes in base64: make one with "
        "'whsec_' + base64.b64encode(secrets.token_bytes(32)).decode()"
    )
    if not isinstance(text, str) or not text.startswith(PREFIX):
        raise BadInputError(advice, "secret")
    try:
        raw = base64.b64decode(text[len(PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        raise BadInputError(advice, "secret") from None
    if not BYTES_MIN <= len(raw) <= BYTES_MAX:
        raise BadInputError(advice, "secret")
    return raw


def signed_headers(secrets: Sequence[bytes], message_id: str, moment: int, body: bytes) -> Mapping[str, str]:
    """The three headers of a message sent at `moment` (seconds since the epoch): a signature by each secret."""
    signed = f"{message_id}.{moment}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }
