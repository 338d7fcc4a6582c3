"""What wraps the app, from the first look at a request to the last byte of its answer, and `requires`. Knows `keys`
and `rules`.
"""

from gatepost.asgi.counting import Counting as Counting
from gatepost.asgi.current import TEMPLATE as TEMPLATE
from gatepost.asgi.current import serving as serving
from gatepost.asgi.current import set_serving as set_serving
from gatepost.asgi.lifespan import Lifespan as Lifespan
from gatepost.asgi.log import RefusalLog as RefusalLog
from gatepost.asgi.middleware import APIKeyMiddleware as APIKeyMiddleware
from gatepost.asgi.permission_check import PermissionCheck as PermissionCheck
from gatepost.asgi.precheck import PermissionsFirst as PermissionsFirst
from gatepost.asgi.precheck import first_refusal as first_refusal
from gatepost.asgi.precheck import requirements_of as requirements_of
from gatepost.asgi.refusals import RefusedError as RefusedError
from gatepost.asgi.refusals import fastmcp_refusal as fastmcp_refusal
from gatepost.asgi.refusals import litestar_refusal as litestar_refusal
from gatepost.asgi.refusing import OnError as OnError
from gatepost.asgi.refusing import Refusing as Refusing
from gatepost.asgi.requires import Requirement as Requirement
from gatepost.asgi.requires import checks_above as checks_above
from gatepost.asgi.requires import checks_of as checks_of
from gatepost.asgi.requires import requirement_of as requirement_of
from gatepost.asgi.requires import requires as requires
from gatepost.asgi.responses import Problem as Problem
from gatepost.asgi.responses import challenge as challenge
from gatepost.asgi.responses import denied as denied
from gatepost.asgi.sources import Bearer as Bearer
from gatepost.asgi.sources import Header as Header
from gatepost.asgi.sources import Query as Query
from gatepost.asgi.sources import Source as Source
from gatepost.asgi.sources import Subprotocol as Subprotocol
from gatepost.asgi.starting import asked_at as asked_at
from gatepost.asgi.starting import faults_among as faults_among
from gatepost.asgi.starting import faults_of as faults_of
from gatepost.asgi.streams import ConnectionEndedError as ConnectionEndedError
from gatepost.asgi.touched import On as On
