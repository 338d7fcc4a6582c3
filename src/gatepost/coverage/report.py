"""`Coverage`: what of an app is behind which permission, all of it together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatepost.coverage.gap import Gap, gaps_of
from gatepost.coverage.grants import Grants
from gatepost.coverage.needs import Judge, Needs, told
from gatepost.coverage.route import Route
from gatepost.coverage.walk import routes_of
from gatepost.rules import ACCESS_MANAGE, ACCESS_READ


@dataclass(frozen=True, slots=True, repr=False)  # `asyncio.run` before Python 3.13 writes out what it answers: 0.1 s
class Coverage:
    """`routes`: with what a caller needs for each. `gaps`: what is worth a look, the gravest first. `asked`: by
    permission, the routes that ask for it. `grants`: what keys have and use of it; `None` = they were not asked.
    `proofs`: by route, what a request without a key came to; empty = none was sent."""

    routes: Sequence[tuple[Route, Needs]]
    gaps: Sequence[Gap]
    asked: Mapping[str, Sequence[Route]]
    grants: Grants | None = None
    proofs: Mapping[Route, str] = field(default_factory=dict)

    @property
    def counts(self) -> Mapping[Needs, int]:
        """How many routes there are by what they need."""
        return {needs: found for needs in Needs if (found := sum(each is needs for _, each in self.routes))}

    def as_dict(self) -> Mapping[str, Any]:
        """For programs."""
        told = [
            {
                "subject": route.subject,
                "kind": route.kind,
                "host": route.host or None,
                "methods": list(route.methods),
                "path": route.path,
                "call": route.call or None,
                "handler": route.handler,
                "place": route.place,
                "needs": needs.name.lower(),
                "permissions": [
                    {"all_of": sorted(check.all_of), "any_of": sorted(check.any_of)} for check in route.checks
                ],
                "proof": self.proofs.get(route),
            }
            for route, needs in self.routes
        ]
        return {
            "routes": told,
            "counts": {needs.name.lower(): count for needs, count in self.counts.items()},
            "gaps": [gap_json(gap) for gap in self.gaps],
            "permissions": [
                {
                    "name": name,
                    "routes": [route.subject for route in routes],
                    **({} if self.grants is None else self.grants.line_json(name)),
                }
                for name, routes in sorted(self.asked.items())
            ],
            "keys": None if self.grants is None else self.grants.as_dict(),
        }


def coverage_of(app: Any) -> Coverage:
    """What of an ASGI app is behind which permission. Sends no request, starts nothing, opens nothing."""
    routes = routes_of(app)
    judge = Judge(routes)
    asked: dict[str, list[Route]] = {}
    for route in routes:
        names = {name for check in (*route.checks, *route.later) for name in check.all_of | check.any_of}
        if route.own and ".admin." in route.handler:
            names |= {ACCESS_READ, ACCESS_MANAGE}
        for name in sorted(names):
            asked.setdefault(name, []).append(route)
    return Coverage(
        [(route, judge.needs_of(route)) for route in routes], gaps_of(routes, judge, frozenset(asked)), asked
    )


def needs_text(route: Route, needs: Needs) -> str:
    """What a caller needs, for people."""
    asked = ", ".join(map(told, route.checks))
    return {Needs.PERMISSIONS: asked, Needs.ASKED_PARTLY: f"{asked}, but for exempt paths"}.get(needs, str(needs))


def gap_json(gap: Gap) -> Mapping[str, Any]:
    """For programs."""
    return {name: getattr(gap, name) for name in ("code", "severity", "subject", "sentence", "remedy", "place")}
