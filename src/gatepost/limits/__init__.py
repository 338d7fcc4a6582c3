"""How much is let in: rates, quotas and slots, counted for one worker or for all. Blind to lookups and freshness; of
others it knows `base`."""

from gatepost.limits.bucket import Bucket as Bucket
from gatepost.limits.bucket import LimitState as LimitState
from gatepost.limits.bucket import Taken as Taken
from gatepost.limits.demand import Demand as Demand
from gatepost.limits.demand import buckets_of as buckets_of
from gatepost.limits.demand import of_route as of_route
from gatepost.limits.demand import rate_limit as rate_limit
from gatepost.limits.leases import Leases as Leases
from gatepost.limits.limiter import Limiter as Limiter
from gatepost.limits.members import Members as Members
from gatepost.limits.periods import period_at as period_at
from gatepost.limits.policies import Policies as Policies
from gatepost.limits.request import RequestLimits as RequestLimits
from gatepost.limits.request import fields_of as fields_of
from gatepost.limits.shared import Call as Call
from gatepost.limits.shared import SharedCounts as SharedCounts
