"""`Webhooks`: what happens to keys, told to the outside. Knows `keys` and `database`."""

from gatepost.webhooks.messages import EVENT_TYPES as EVENT_TYPES
from gatepost.webhooks.targets import LogTarget as LogTarget
from gatepost.webhooks.targets import Target as Target
from gatepost.webhooks.webhooks import Webhooks as Webhooks
from gatepost.webhooks.webhooks import read_dead as read_dead
