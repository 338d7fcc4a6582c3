"""GitHub's side of the protocol, in Node's crypto: the implementation that their documentation shows."""

import json
import subprocess
from dataclasses import dataclass
from functools import cache

from tests.test_scanners import node

MAKE = """
const c = require('crypto'), k = c.generateKeyPairSync('ec', {namedCurve: process.argv[1]});
console.log(JSON.stringify([k.privateKey.export({type: 'pkcs8', format: 'pem'}),
  k.publicKey.export({type: 'spki', format: 'pem'})]))
"""
SIGN = """
const c = require('crypto'), body = require('fs').readFileSync(0), s = c.createSign('SHA256');
s.update(body); console.log(s.sign(process.argv[1], 'base64'))
"""


def _run(code: str, argument: str, given: bytes = b"") -> str:
    return subprocess.run(
        [node(), "-e", code, "--", argument], input=given, capture_output=True, check=True
    ).stdout.decode()


@dataclass(frozen=True)
class Signer:
    """A key of GitHub's: its id and its two halves."""

    identifier: str
    private: str
    public: str

    def headers(self, body: bytes) -> dict[str, str]:
        """Those that a signed request has."""
        return {
            "github-public-key-identifier": self.identifier,
            "github-public-key-signature": _run(SIGN, self.private, body).strip(),
        }


@cache
def signer(identifier: str, curve: str = "prime256v1") -> Signer:
    """The key with this id."""
    private, public = json.loads(_run(MAKE, curve))
    return Signer(identifier, private, public)


def published(*signers: Signer) -> bytes:
    """What GitHub tells at its URL of keys."""
    told = [{"key_identifier": each.identifier, "key": each.public, "is_current": True} for each in signers]
    return json.dumps({"public_keys": told}).encode()
