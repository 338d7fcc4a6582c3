"""Which route of the app within a request will take, and whether it is exempt there. Of the others it knows `base`."""

from gatepost.asgi.routes.exempt import Exemption as Exemption
from gatepost.asgi.routes.exempt import Exemptions as Exemptions
from gatepost.asgi.routes.exempt import FreshPaths as FreshPaths
from gatepost.asgi.routes.routing import Routing as Routing
