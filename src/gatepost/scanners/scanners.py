"""What finds our secrets in each scanner: the published pattern, and the checksum where the scanner can compute one."""

import json
from collections.abc import Callable, Mapping

from gatepost.base import BadInputError, check_prefix, secret_pattern

KEYWORD_END = "_"
"""What stands behind the prefix: scanners look for such a word first, and for the pattern where there is one."""


def _gitleaks(prefix: str) -> str:
    return f"""\
# .gitleaks.toml: gitleaks, Betterleaks. Neither computes the checksum.
title = "gatepost"

[[rules]]
id = "gatepost"
description = "gatepost API key"
regex = '''{secret_pattern(prefix)}'''
keywords = ["{prefix}{KEYWORD_END}"]
"""


def _trufflehog(prefix: str) -> str:
    return f"""\
# trufflehog filesystem . --config=trufflehog.yml. It does not compute the checksum.
detectors:
  - name: gatepost
    keywords:
      - {prefix}{KEYWORD_END}
    regex:
      secret: '{secret_pattern(prefix)}'
"""


def _detect_secrets(prefix: str) -> str:
    return f'''\
"""A plugin of detect-secrets that finds API keys of gatepost, by their checksum too: detect-secrets scan -p FILE."""

import re
import zlib
from collections.abc import Generator

from detect_secrets.plugins.base import RegexBasedDetector

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class GatepostDetector(RegexBasedDetector):
    """API keys of gatepost."""

    secret_type = "gatepost API key"
    denylist = (re.compile(r"{secret_pattern(prefix)}"),)

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """What is in a line, but for what its checksum tells to be none."""
        for found in super().analyze_string(string):
            value = 0
            for digit in found[-6:]:
                value = value * 62 + DIGITS.index(digit)
            if value == zlib.crc32(found[:-6].encode()):
                yield found
'''


def _secretlint(prefix: str) -> str:
    pattern = {"name": "gatepost API key", "patterns": [f"/{secret_pattern(prefix)}/"]}
    rule = {"id": "@secretlint/secretlint-rule-pattern", "options": {"patterns": [pattern]}}
    return json.dumps({"rules": [rule]}, indent=2) + "\n"


def _kingfisher(prefix: str) -> str:
    """A rule for each alternative of the pattern: a name can be captured once in a rule."""
    bodies = [each.partition("{49}")[0] for each in secret_pattern(prefix).split("|")]
    rules = "".join(_kingfisher_rule(number, body) for number, body in enumerate(bodies, 1))
    return f"# kingfisher scan . --rules-path FILE. It checks the checksum.\nrules:\n{rules}"


def _kingfisher_rule(number: int, body: str) -> str:
    return f"""\
  - name: gatepost API key
    id: custom.gatepost.{number}
    pattern: '(?P<TOKEN>(?P<BODY>{body}{{43}})(?P<CHECKSUM>[0-9A-Za-z]{{6}}))\\b'
    min_entropy: 3.0
    confidence: high
    pattern_requirements:
      checksum:
        actual:
          template: "{{{{ CHECKSUM }}}}"
          requires_capture: CHECKSUM
        expected: "{{{{ BODY | crc32 | base62: 6 }}}}"
"""


SCANNERS: Mapping[str, Callable[[str], str]] = {
    "gitleaks": _gitleaks,
    "trufflehog": _trufflehog,
    "detect-secrets": _detect_secrets,
    "secretlint": _secretlint,
    "kingfisher": _kingfisher,
}
"""The scanners there are rules for."""


def rules_for(scanner: str, prefix: str) -> str:
    """The rules that find secrets with this prefix, as a file of the scanner's. Raises `BadInputError`."""
    if scanner not in SCANNERS:
        raise BadInputError(f"scanner must be one of {', '.join(SCANNERS)}, not {scanner!r:.50}", "scanner")
    return SCANNERS[scanner](check_prefix(prefix))
