"""Where in a request a secret may stand, and taking it out of there: a room, since `asgi` has no room for it. Of
others it knows `base`."""

from gatepost.asgi.sources.sources import Bearer as Bearer
from gatepost.asgi.sources.sources import Extractor as Extractor
from gatepost.asgi.sources.sources import Header as Header
from gatepost.asgi.sources.sources import Query as Query
from gatepost.asgi.sources.sources import Scope as Scope
from gatepost.asgi.sources.sources import Source as Source
from gatepost.asgi.sources.sources import Subprotocol as Subprotocol
from gatepost.asgi.sources.sources import shown as shown
