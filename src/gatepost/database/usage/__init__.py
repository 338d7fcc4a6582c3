"""The tables of usage: written in batches by workers, read by people, rolled up and pruned. No change of keys."""

from gatepost.database.usage.batch import UsageBatch as UsageBatch
from gatepost.database.usage.batch import upsert as upsert
from gatepost.database.usage.page import UsagePage as UsagePage
from gatepost.database.usage.tables import UsageTables as UsageTables
