"""Refusals as responses. Pure."""

from gatepost.asgi.responses.mcp import REFUSED as REFUSED
from gatepost.asgi.responses.mcp import error_of as error_of
from gatepost.asgi.responses.responses import DENIAL_EXTENSION as DENIAL_EXTENSION
from gatepost.asgi.responses.responses import QUOTA_EXCEEDED as QUOTA_EXCEEDED
from gatepost.asgi.responses.responses import WEBSOCKET_FORBIDDEN as WEBSOCKET_FORBIDDEN
from gatepost.asgi.responses.responses import WEBSOCKET_TRY_AGAIN_LATER as WEBSOCKET_TRY_AGAIN_LATER
from gatepost.asgi.responses.responses import WEBSOCKET_UNAUTHENTICATED as WEBSOCKET_UNAUTHENTICATED
from gatepost.asgi.responses.responses import Problem as Problem
from gatepost.asgi.responses.responses import challenge as challenge
from gatepost.asgi.responses.responses import checked_realm as checked_realm
from gatepost.asgi.responses.responses import close_message as close_message
from gatepost.asgi.responses.responses import denied as denied
from gatepost.asgi.responses.responses import unavailable as unavailable
