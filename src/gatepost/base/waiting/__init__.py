"""What many wait for at once, and for how long anybody does. Knows nothing of keys."""

from gatepost.base.waiting.coalescing import Coalescer as Coalescer
from gatepost.base.waiting.timeout import Timeout as Timeout
