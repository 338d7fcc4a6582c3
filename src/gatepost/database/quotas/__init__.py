"""What of quotas has been leased out to workers."""

from gatepost.database.quotas.quotas import Leased as Leased
from gatepost.database.quotas.quotas import Quotas as Quotas
