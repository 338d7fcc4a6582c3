"""What wraps the app, from the first look at a request to the last byte of its answer, and `requires`. Knows `keys`
and `rules`.
"""

from gatepost.asgi.context import serving as serving
from gatepost.asgi.counting import Counting as Counting
from gatepost.asgi.lifespan import Lifespan as Lifespan
from gatepost.asgi.log import RefusalLog as RefusalLog
from gatepost.asgi.middleware import APIKeyMiddleware as APIKeyMiddleware
from gatepost.asgi.precheck import PermissionsFirst as PermissionsFirst
from gatepost.asgi.requires import requires as requires
from gatepost.asgi.responses import Problem as Problem
from gatepost.asgi.sources import Bearer as Bearer
from gatepost.asgi.sources import Header as Header
from gatepost.asgi.sources import Query as Query
from gatepost.asgi.sources import Source as Source
from gatepost.asgi.sources import Subprotocol as Subprotocol
from gatepost.asgi.streams import ConnectionEndedError as ConnectionEndedError
