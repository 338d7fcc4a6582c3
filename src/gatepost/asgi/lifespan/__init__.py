"""The app's lifespan, and what is found out as it begins: a room, since `asgi` has no room for it."""

from gatepost.asgi.lifespan.lifespan import Lifespan as Lifespan
from gatepost.asgi.lifespan.standing import Placed as Placed
from gatepost.asgi.lifespan.standing import Standing as Standing
from gatepost.asgi.lifespan.standing import kept as kept
from gatepost.asgi.lifespan.standing import place_of_caller as place_of_caller
from gatepost.asgi.lifespan.standing import standing_before as standing_before
