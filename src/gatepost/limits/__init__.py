"""How much is let in: rates, quotas and slots, counted for one worker or for all. Blind to lookups and freshness; of
others it knows `base`."""

from gatepost.limits.bucket import Bucket as Bucket
from gatepost.limits.bucket import State as State
from gatepost.limits.bucket import Taken as Taken
from gatepost.limits.leases import Leases as Leases
from gatepost.limits.limiter import Asked as Asked
from gatepost.limits.limiter import Limiter as Limiter
from gatepost.limits.members import Members as Members
from gatepost.limits.shared import SharedCounts as SharedCounts
