"""What the face of the keys has of templates and temporary secrets: `keys.templates`, and issuing."""

from typing import TYPE_CHECKING, Any, Unpack

from gatepost.keys.lifecycle import Lifecycle
from gatepost.keys.templates import Templates, issuing

if TYPE_CHECKING:
    from gatepost.keys.templates import Named, Narrowing
    from gatepost.temporary import Claims, TemporarySecret


class Issuing(Lifecycle):
    """Keys that temporary secrets can be issued of."""

    @property
    def templates(self) -> Templates:
        """The templates, and what can be done with them."""
        verbs: Any = self  # whoever is a face of the keys has them
        return Templates(self._parts, verbs)

    async def issue_temporary(self, parent: "Named", **narrowing: Unpack["Narrowing"]) -> "TemporarySecret":
        """Issue a temporary secret of a template or a key: `parent` is that, its id, or a secret or its digest (32
        bytes). It can do at most what that can at the moment when it is used, and ends at once when that is switched
        off, deleted or edited below it, or loses the secret that it was made from: the current one where an id is
        named, else the one that is shown.

        `permissions`: of those that the parent has; `None` = all of them, also those that it gets later. `allow`:
        networks within the parent's; `None` = the parent's. `limits`: of its own, beside the parent's, which count for
        all that is issued of it together; 8 at most. `lifetime`: whole seconds; `None` = the template's, an hour for a
        key; at most the template's, a day for a key. `subject`: whom it is for, at most 100 bytes: the middleware's
        `subject=` must say the same of a request. `resources`: those that its permissions hold on, of the parent's;
        `None` = the parent's. `actor`: who may be limited needs to manage, and hold all that the parent has. It never
        gives the permission to manage keys.

        Raises `KeyNotFoundError`, `BadInputError` (also where the text would have 300 characters or more, and for a
        secret that was imported: what is issued tells its digest, against which texts can be tried; rotate the key, or
        make a template), `UnknownPermissionError`, `AccessDeniedError` (also for a parent that cannot be used now),
        `UnavailableError`. No I/O where this process remembers the parent, some 30 µs; else one statement, two for an
        id or a digest. An actor that is a key costs one more.
        """
        asked = issuing.parent_of(parent)
        del parent  # whoever reports an error of the database's sees this frame too
        return await issuing.issue_temporary(self._parts, asked, **narrowing)

    def claims_of(self, secret: bytes) -> "Claims | None":
        """What `secret`, ASCII bytes of a temporary one, claims, where this installation has made it; `None` for any
        other. No I/O, 8 µs. Raises `ConfigurationError` while the keys are closed."""
        return self._parts.opened().temporary.read(secret)
