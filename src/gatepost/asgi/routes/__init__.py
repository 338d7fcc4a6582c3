"""Which route of the app within a request will take, whether it is exempt there, and what each framework has registered
for its routes. Of the others it knows `base`.
"""

from gatepost.asgi.routes.exempt import Exemption as Exemption
from gatepost.asgi.routes.exempt import Exemptions as Exemptions
from gatepost.asgi.routes.exempt import FreshPaths as FreshPaths
from gatepost.asgi.routes.exempt import Pages as Pages
from gatepost.asgi.routes.handlers import OWN as OWN
from gatepost.asgi.routes.handlers import Handler as Handler
from gatepost.asgi.routes.handlers import Within as Within
from gatepost.asgi.routes.handlers import as_awaited as as_awaited
from gatepost.asgi.routes.handlers import before_rule as before_rule
from gatepost.asgi.routes.handlers import function_of as function_of
from gatepost.asgi.routes.handlers import is_ours as is_ours
from gatepost.asgi.routes.handlers import listed_before as listed_before
from gatepost.asgi.routes.handlers import litestar_before as litestar_before
from gatepost.asgi.routes.handlers import litestar_handler as litestar_handler
from gatepost.asgi.routes.handlers import look_into as look_into
from gatepost.asgi.routes.handlers import ninja_operations as ninja_operations
from gatepost.asgi.routes.handlers import socketio_events as socketio_events
from gatepost.asgi.routes.mcp_tools import at_once as at_once
from gatepost.asgi.routes.mcp_tools import mcp_functions as mcp_functions
from gatepost.asgi.routes.mcp_tools import mcp_listings as mcp_listings
from gatepost.asgi.routes.mcp_tools import wrapped_by as wrapped_by
from gatepost.asgi.routes.reached import reached as reached
from gatepost.asgi.routes.routing import Routing as Routing
from gatepost.asgi.routes.routing import handed_on as handed_on
from gatepost.asgi.routes.routing import only_names as only_names
