"""From a digest to a record: memory, Redis, the database, with lookups that miss gathered. Knows `freshness`, which
judges what is remembered, and the two stores.
"""

from gatepost.lookup.lookup import Lookup as Lookup
from gatepost.lookup.memory import MemoryTier as MemoryTier
