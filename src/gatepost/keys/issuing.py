"""What the face of the keys has of templates and temporary secrets: `keys.templates`, and issuing."""

from typing import TYPE_CHECKING, Any, Unpack

from gatepost.keys.lifecycle import Lifecycle
from gatepost.keys.templates import Templates, issuing

if TYPE_CHECKING:
    from gatepost.keys.templates import Narrowing
    from gatepost.temporary import TemporarySecret


class Issuing(Lifecycle):
    """Keys that temporary secrets can be issued of."""

    @property
    def templates(self) -> Templates:
        """The templates, and what can be done with them."""
        verbs: Any = self  # whoever is a face of the keys has them
        return Templates(self._parts, verbs)

    async def issue_temporary(self, parent: str | bytes, **narrowing: Unpack["Narrowing"]) -> "TemporarySecret":
        """Issue a temporary secret of a template or a key: of an id, or of a secret or its digest (32 bytes). No I/O
        where this process remembers it. More: `issuing.issue_temporary`."""
        asked = issuing.parent_of(parent)
        del parent  # whoever reports an error of the database's sees this frame too
        return await issuing.issue_temporary(self._parts, asked, **narrowing)
