"""From a middleware's options to what a document says of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import signature
from typing import Any, TypedDict

from starlette.types import Scope

from gatepost.addresses import Addresses
from gatepost.asgi import APIKeyMiddleware, Bearer, Header, OnError, RefusalLog, Refusing, Source
from gatepost.asgi.routes import Exemption, Exemptions
from gatepost.asgi.sources import Extractor
from gatepost.base import BadInputError, Limit, Outcome
from gatepost.integrations.openapi.gate import Gate
from gatepost.keys import APIKeys

_SOURCES = (Bearer(), Header("X-API-Key"))


class Options(TypedDict, total=False):
    """Those of `APIKeyMiddleware`, for checkers and editors: of everything that is given them too."""

    sources: Sequence[Source]
    exempt: Sequence[Exemption]
    optional: bool
    strip: bool
    project: str | Callable[[Scope], str | None] | None
    realm: str
    on_error: OnError | None
    fresh: Sequence[Exemption]
    end_connections: bool
    end_uploads: bool
    user: bool
    subject: Callable[[Scope], str | None] | None
    trusted_proxies: Iterable[str]
    header: str
    limits: Mapping[str, Iterable[Limit]] | None
    refusal_log: RefusalLog | None
    expiry_notice: float | None


def gate_of(keys: APIKeys, options: Mapping[str, Any]) -> Gate:
    """What a document says of an `APIKeyMiddleware` with these options. Raises `BadInputError` as that does."""
    unknown = sorted(set(options) - set(signature(APIKeyMiddleware).parameters))
    if unknown:
        raise BadInputError(f"APIKeyMiddleware has no option {', '.join(unknown)}")
    sources = options.get("sources", _SOURCES)
    Extractor(sources)  # says what is wrong with them
    refusing = Refusing(sources, options.get("realm", "api"), None, RefusalLog(), Addresses())
    impossible = {
        Outcome.PROJECT_DENIED: options.get("project") is None,
        Outcome.SUBJECT_DENIED: options.get("subject") is None,
        Outcome.ENVIRONMENT_DENIED: keys.environment is None,
    }
    return Gate(
        sources,
        {outcome: problem for outcome, problem in refusing.problems.items() if not impossible.get(outcome)},
        keys.catalogue,
        optional=options.get("optional", False),
        own_answers=options.get("on_error") is not None,
    )


def exempt_paths(options: Mapping[str, Any]) -> Exemptions:
    """Which paths need no key, as far as paths alone tell: what is a function of the scope counts as needing one."""
    return Exemptions([each for each in options.get("exempt", ()) if isinstance(each, str)])
