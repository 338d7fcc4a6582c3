"""What many wait for at once, for how long anybody does, and who is told of it. Knows nothing of keys."""

from gatepost.base.waiting.coalescing import Coalescer as Coalescer
from gatepost.base.waiting.timeout import Timeout as Timeout
from gatepost.base.waiting.watching import Ended as Ended
from gatepost.base.waiting.watching import Listener as Listener
from gatepost.base.waiting.watching import Wait as Wait
from gatepost.base.waiting.watching import Watch as Watch
