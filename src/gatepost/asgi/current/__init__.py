"""The request that is being served, and the route that it goes to."""

from gatepost.asgi.current.context import OUTCOME as OUTCOME
from gatepost.asgi.current.context import Served as Served
from gatepost.asgi.current.context import note_refusal as note_refusal
from gatepost.asgi.current.context import refuse_late as refuse_late
from gatepost.asgi.current.context import served_variable as served_variable
from gatepost.asgi.current.context import serving as serving
from gatepost.asgi.current.context import set_serving as set_serving
from gatepost.asgi.current.context import task_of as task_of
from gatepost.asgi.current.templates import ROUTE as ROUTE
from gatepost.asgi.current.templates import TEMPLATE as TEMPLATE
from gatepost.asgi.current.templates import Templates as Templates
from gatepost.asgi.current.templates import telling_routes as telling_routes
