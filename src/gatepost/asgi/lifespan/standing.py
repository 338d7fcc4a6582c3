"""Where a middleware stands: one that stands around another may leave it no secret that it knows."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gatepost.asgi.lifespan.lines import lines_of_lists
from gatepost.asgi.routes import Exemption, Pages, Within, listed_before
from gatepost.asgi.sources import Scope, Source, shown
from gatepost.base import ConfigurationError
from gatepost.keys import APIKeys

_ENTRY = "gatepost.standing"
_OTHERS = tuple(str(Path(sys.modules[name].__file__ or "").parent) for name in ("gatepost", "starlette"))

IN_A_LIST = "app.add_middleware(APIKeyMiddleware, ...)"
"""The place of what an app makes itself, as it starts."""


class Placed(list[Any]):
    """An `exempt` of a middleware that is made later, with the line that it was asked for at."""

    place: str = ""

    @classmethod
    def at(cls, exempt: Iterable[Any], place: str) -> "Placed":
        """These, with that line, `file:line`."""
        placed = cls(exempt)
        placed.place = place
        return placed


@dataclass(frozen=True, slots=True)
class Standing:
    """One middleware. `optional`: whether it lets requests in without a secret. `exempt`: prefixes and functions that
    are exempt. `paths`: single ones. `place`: the line that made it."""

    keys: APIKeys
    sources: frozenset[Source]
    strip: bool
    optional: bool
    exempt: tuple[Exemption, ...]
    place: str
    paths: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, keys: APIKeys, sources: Iterable[Source], exempt: Iterable[Exemption], *, strip: bool, optional: bool
    ) -> "Standing":
        """That of a middleware with these options, made now. Single paths that are exempt, for a probe say, or for a
        framework's own pages, do not count as letting requests in."""
        given = [each for each in exempt if not isinstance(each, Pages)]
        others = tuple(each for each in given if not isinstance(each, str) or each.endswith("*"))
        paths = frozenset(each for each in given if isinstance(each, str))
        place = exempt.place if isinstance(exempt, Placed) else place_of_caller()
        return cls(keys, frozenset(sources), strip, optional, others, place, paths)

    def entered(self, scope: Scope) -> Scope:
        """The lifespan scope for what is within: it tells that this stands around. The one given is not written into:
        apps side by side may have it too. Raises `ConfigurationError` where another one stands around this, and the two
        together let nobody in: each judges the same secret, which is unknown to one of them or already taken out of the
        request."""
        outer, within = scope.get(_ENTRY), {**scope, _ENTRY: self}
        conflict = self.conflict_with(outer) if isinstance(outer, Standing) else None
        if conflict is not None:
            raise ConfigurationError(conflict)
        return within

    def conflict_with(self, outer: "Standing", path: str = "", *, is_next: bool = False) -> str | None:
        """What is wrong where `outer` stands around this, which is mounted at `path`; `None` = somebody may be let in:
        without a secret, with one that only this reads, at a path there that is exempt from the other, or with one that
        both know. `is_next`: whether all that gets through the other comes here, for only then is it known that both
        are asked at every path that is exempt from neither."""
        if self._divides_with(outer, is_next=is_next) or not self.sources <= outer.sources:
            return None
        if path and any(f"{each.rstrip('/')}/".startswith(f"{path}/") for each in outer.paths):
            return None
        if not outer.strip and (outer.keys is self.keys or outer.keys.database_url == self.keys.database_url):
            return None
        both = "the same keys" if outer.keys is self.keys else "different keys"
        places = " or ".join(shown(source) for source in sorted(self.sources, key=repr))
        but = ", but at paths that are exempt" if self.exempt or outer.exempt else ""
        return (
            f"Two APIKeyMiddleware with {both} stand around one app, and both read {places}, so nobody would be let "
            f"in{but}: the outer one is made at {_told(outer.place)}, the inner one at {_told(self.place)}. Take one "
            'of them out, or give the inner one a source of its own, sources=[Header("X-Other-Key")]'
        )

    def _divides_with(self, outer: "Standing", *, is_next: bool) -> bool:
        """Whether requests may be meant for one of the two and let through by the other."""
        if self.optional or outer.optional:
            return True
        both = {*self.exempt, *outer.exempt}
        if not is_next or "/*" in both or any(not isinstance(each, str) for each in both):
            return bool(both)
        return bool(self.exempt and outer.exempt) and {*self.exempt} != {*outer.exempt}


def standing_before(within: Within) -> Iterator[Standing]:
    """The middlewares of ours that stand before an app, the outermost first: itself, a plugin of it (Litestar's), or in
    a list."""
    for own in (within.app, *getattr(within.app, "plugins", ())):
        if isinstance(getattr(own, "standing", None), Standing):
            yield own.standing
    for kind, args, kwargs, written in listed_before(within):
        kwargs.update(kept(kwargs))  # they are read again when the app is put together
        made = kind(within.app, *args, **kwargs)  # opens nothing
        yield replace(made.standing, place=placed_at(kwargs, within.path, written))


def placed_at(options: Mapping[str, Any], path: str, written: str = "") -> str:
    """The line of a middleware in the list of an app at a path, with these options; where they do not tell, how it was
    `written`, "" = `IN_A_LIST`."""
    exempt = options.get("exempt")
    place = exempt.place if isinstance(exempt, Placed) else written or IN_A_LIST
    return f"{place}, of the app at {path}" if path else place


def _told(place: str) -> str:
    """A place for people: what stands in a list with the lines that may have put it there."""
    lines = lines_of_lists() if place.startswith(IN_A_LIST) else ""
    return place.replace(IN_A_LIST, f"{IN_A_LIST}, {lines}", 1) if lines else place


def kept(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a middleware that may be read twice: what could be read once stands in lists."""

    def listed(value: Any) -> Any:
        return list(value) if isinstance(value, Iterator) else value

    return {
        name: {key: listed(each) for key, each in value.items()} if isinstance(value, Mapping) else listed(value)
        for name, value in options.items()
    }


def place_of_caller() -> str:
    """The line that led here from outside of gatepost and Starlette, as `file:line`."""
    frame = sys._getframe(1)  # noqa: SLF001 - for a message, as tracebacks tell it
    while frame.f_back is not None:
        if frame.f_code.co_name == "build_middleware_stack":  # the app is put together as it starts
            return IN_A_LIST
        if not frame.f_code.co_filename.startswith(_OTHERS):
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
