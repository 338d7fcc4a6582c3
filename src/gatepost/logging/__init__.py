"""Who a log line is about: the key of the request that is being served, put onto records. Knows `asgi`."""

from gatepost.logging.key_filter import KeyFilter as KeyFilter
from gatepost.logging.key_filter import add_key as add_key
