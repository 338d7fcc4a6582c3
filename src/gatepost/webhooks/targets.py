"""Where things are told: a URL, or a logger. From the configuration alone: nobody names one over REST or the page."""

import logging
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import NamedTuple, Protocol
from urllib.parse import SplitResult, urlsplit

from gatepost.base import TARGET_MAX, BadInputError
from gatepost.database import Delivery
from gatepost.rules import checked_project
from gatepost.webhooks.hosts import is_address, is_public
from gatepost.webhooks.messages import EVENT_TYPES
from gatepost.webhooks.signature import parsed_secret

RETRY_SECONDS = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0)
"""From each attempt that failed to the next, before jitter; after the last one a message is given up: 30 hours."""

SEND_SECONDS_MAX = 15.0
"""Longest time that an attempt may take: well below the lease."""

HOST_MAX = 253
"""Longest name of a host, in characters (RFC 1035)."""

_NAME = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{TARGET_MAX - 1}}}\Z")
_HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\Z")


class Sent(NamedTuple):
    """What became of an attempt. `error`: one line, `None` = it has arrived. `gone`: the target wants nothing any more.
    `after`: seconds that it asks to be left alone."""

    error: str | None = None
    gone: bool = False
    after: float = 0.0


class Destination(Protocol):
    """Where things are told. `name`: of `[a-z0-9_-]`, up to 50 characters: what is on its way is known by it, so keep
    it where the rest changes. `types`: which events, `None` = all. `project`: of which project alone, `None` = all.
    `delays`: seconds between attempts."""

    @property
    def name(self) -> str:
        """See above."""

    @property
    def types(self) -> Sequence[str] | None:
        """See above."""

    @property
    def project(self) -> str | None:
        """See above."""

    @property
    def delays(self) -> Sequence[float]:
        """See above."""

    async def send(self, delivery: Delivery) -> Sent:
        """One attempt. Raises nothing."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that is sent Standard Webhooks 1.0.0.

    `name`: of `a-z0-9_-`, up to 50 characters; what is on its way is known by it. `url`: https, without user and
    fragment. `secret`: `whsec_` and 24 to 64 bytes in base64; of several the first is the newest, and each signs.
    `types`: which events (`EVENT_TYPES`), `None` = all. `project`: of which alone, `None` = all. `timeout`: seconds
    that an attempt may take, at most 15. `retry_delays`: seconds from one attempt to the next; one more than there
    are is made. `allow_private`: also http, and addresses that are not of the public Internet (this machine, its
    network).

    Raises `BadInputError`.
    """

    name: str
    url: str
    _: KW_ONLY
    secret: str | Sequence[str] = field(repr=False)
    types: Sequence[str] | None = None
    project: str | None = None
    timeout: float = 10.0
    retry_delays: Sequence[float] = RETRY_SECONDS
    allow_private: bool = False
    secrets: Sequence[bytes] = field(init=False, repr=False, compare=False)
    """The secrets' bytes."""

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_url(self.url, private=self.allow_private)
        given = [self.secret] if isinstance(self.secret, str) else list(self.secret)
        if not given:
            raise BadInputError("secret must be at least one signing secret", "secret")
        if not isinstance(self.timeout, int | float) or not 0 < self.timeout <= SEND_SECONDS_MAX:
            raise BadInputError(
                f"timeout must be seconds, at most {SEND_SECONDS_MAX:g}, not {self.timeout!r}", "timeout"
            )
        delays = tuple(self.retry_delays)
        if not all(isinstance(each, int | float) and 0 <= each < math.inf for each in delays):
            raise BadInputError(f"retry_delays must be numbers of seconds, not {delays!r:.100}", "retry_delays")
        settled = {
            "secrets": tuple(map(parsed_secret, given)),
            "types": checked_types(self.types),
            "project": checked_project(self.project),
            "retry_delays": delays,
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTarget:
    """A logger that is told: a line of JSON for each event, at INFO. `logger`: its name. The rest as for `Target`."""

    name: str = "log"
    logger: str = "gatepost.events"
    types: Sequence[str] | None = None
    project: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "types", checked_types(self.types))
        object.__setattr__(self, "project", checked_project(self.project))

    @property
    def delays(self) -> Sequence[float]:
        """A logger does not fail."""
        return ()

    async def send(self, delivery: Delivery) -> Sent:
        """Log it."""
        logging.getLogger(self.logger).info("%s", delivery.body)
        return Sent()

    async def close(self) -> None:
        """There is nothing to let go."""


def check_name(name: str) -> None:
    """Raise `BadInputError` for what cannot be the name of a target."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise BadInputError(f"name must be 1 to 50 of a-z, 0-9, - and _, such as 'siem', not {name!r:.60}", "name")


def checked_types(types: Iterable[str] | None) -> Sequence[str] | None:
    """Types of events. Raises `BadInputError`."""
    if types is None:
        return None
    given = (types,) if isinstance(types, str) else tuple(types)
    wrong = [each for each in given if each not in EVENT_TYPES]
    if wrong or isinstance(types, str) or not given:
        raise BadInputError(f"types must be a list of {', '.join(EVENT_TYPES)}, not {types!r:.100}", "types")
    return given


def _check_url(url: str, *, private: bool) -> None:
    try:
        parts = urlsplit(url) if isinstance(url, str) else SplitResult("", "", "", "", "")
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise BadInputError("url must be such as https://example.org/hooks", "url") from None
    wanted = ("https", "http") if private else ("https",)
    if parts.scheme not in wanted or not host or parts.username or parts.password or parts.fragment:
        raise BadInputError(
            f"url must be {' or '.join(wanted)}, with a host, and without user and fragment, such as "
            f"https://example.org/hooks, not {parts.scheme}://{host}",
            "url",
        )
    name = host.removesuffix(".").lower()
    if not is_address(name) and (len(name) > HOST_MAX or not _HOST.match(name)):
        raise BadInputError(
            f"url has {host!r:.100} for a host: write parts of 1 to 63 letters, digits and hyphens, with a dot between "
            "them, and xn--... for what is not ASCII",
            "url",
        )
    forbidden = not is_public(name) if is_address(name) else name == "localhost" or name.endswith(".localhost")
    if forbidden and not private:
        raise BadInputError(
            f"url leads to {host}, which is not of the public Internet: say allow_private=True if that is meant", "url"
        )
