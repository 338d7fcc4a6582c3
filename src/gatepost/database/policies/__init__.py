"""What is asked of keys, as it is stored; which keys do not fit it; who switches off those that nobody uses."""

from gatepost.database.policies.misfits import Misfits as Misfits
from gatepost.database.policies.rows import PolicyRows as PolicyRows
from gatepost.database.policies.rows import StoredPolicy as StoredPolicy
from gatepost.database.policies.tables import PolicyTables as PolicyTables
