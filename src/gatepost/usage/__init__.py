"""How often keys are used: counted by this worker in memory, and written from time to time. Blind to what lets requests
in: it is told what came of them."""

from gatepost.usage.counter import ENTRIES_MAX as ENTRIES_MAX
from gatepost.usage.counter import UsageCounter as UsageCounter
from gatepost.usage.flushing import FLUSH_SECONDS as FLUSH_SECONDS
from gatepost.usage.flushing import Flushing as Flushing
