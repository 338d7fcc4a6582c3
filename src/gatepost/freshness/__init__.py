"""The one rule (docs/decisions/0002): the lease, the floors, this worker's place among the others, and the wait until a
change holds everywhere. Knows `database`; tells listeners what not to believe, whoever they are.
"""

from gatepost.freshness.freshness import FLOORS_MAX as FLOORS_MAX
from gatepost.freshness.freshness import Freshness as Freshness
from gatepost.freshness.membership import KEEP_FACTOR as KEEP_FACTOR
from gatepost.freshness.membership import certainly_over as certainly_over
from gatepost.freshness.propagation import Propagations as Propagations
from gatepost.freshness.propagation import Spread as Spread
