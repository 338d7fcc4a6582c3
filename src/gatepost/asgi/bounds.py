"""What a request must be for a key to be used in it: of the key's project, and where a temporary secret came from a
page that it is for, from whom it is for."""

from collections.abc import Callable

from gatepost.addresses import Addresses
from gatepost.asgi.routes import Routing
from gatepost.asgi.sources import Scope
from gatepost.base import LimitedRecord, Outcome, Presented, Record, of_another_project
from gatepost.temporary import TemporaryRecord, origin_of

ASK_ON = (LimitedRecord, TemporaryRecord)  # of whose hits more is to be seen to


class Bounds:
    """What one middleware knows of requests. `project`, `subject`: as for `APIKeyMiddleware`."""

    def __init__(
        self,
        project: str | Callable[[Scope], str | None] | None,
        subject: Callable[[Scope], str | None] | None,
        routing: Routing,
        addresses: Addresses,
    ) -> None:
        self._project = project
        self._subject = subject
        self._routing = routing
        self._addresses = addresses
        self.has_project = project is not None
        """Whether requests belong to projects."""

    def outcome(self, key: Record, scope: Scope) -> Outcome:
        """What a request is refused for that shows a secret of that key; `VALID` = it is not."""
        if type(key) is TemporaryRecord and key.is_bound:
            subject = None if self._subject is None or key.subject is None else self._subject(scope)
            outcome = key.outcome_for(self._addresses.of(scope), origin_of(scope["headers"]), subject)
            if outcome is not Outcome.VALID:
                return outcome
        if self.has_project and self._is_of_another_project(key, scope):
            return Outcome.PROJECT_DENIED
        return Outcome.VALID

    def outcome_anew(self, key: Record, scope: Scope) -> Outcome:
        """As `outcome`, of a request that was let in with the same secret."""
        if self.has_project and key.project != scope["api_key"].project:
            return Outcome.PROJECT_DENIED  # the same secret, now of another project
        return self.outcome(key, scope) if type(key) is TemporaryRecord else Outcome.VALID

    def _is_of_another_project(self, key: Record, scope: Scope) -> bool:
        if not callable(self._project):
            return of_another_project(key.project, self._project)
        return any(of_another_project(key.project, self._project(view)) for view in self._routing.views(scope))


def shown_in(scope: Scope, digest: bytes, *, fresh: bool = False) -> Presented:
    """What the caller of a request that was let in with the secret of `digest` (32 bytes) has shown: of a temporary
    secret that digest is its parent's, which may do more."""
    presented, key = Presented(digest=digest, fresh=fresh), scope["api_key"]
    presented.claims = key.claims if isinstance(key, TemporaryRecord) else None
    return presented
