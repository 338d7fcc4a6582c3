"""The tables, their migrations and triggers, and the terms that lists are searched by."""

from gatepost.database.schema.batches import batches as batches
from gatepost.database.schema.batches import elements as elements
from gatepost.database.schema.batches import one_of as one_of
from gatepost.database.schema.schema import REVISIONS as REVISIONS
from gatepost.database.schema.schema import SchemaStatus as SchemaStatus
from gatepost.database.schema.schema import check as check
from gatepost.database.schema.search_terms import Range as Range
from gatepost.database.schema.search_terms import hint_ranges as hint_ranges
from gatepost.database.schema.search_terms import hint_terms as hint_terms
from gatepost.database.schema.search_terms import permission_term as permission_term
from gatepost.database.schema.search_terms import word_range as word_range
from gatepost.database.schema.search_terms import words as words
from gatepost.database.schema.tables import counter as counter
from gatepost.database.schema.tables import events as events
from gatepost.database.schema.tables import keys as keys
from gatepost.database.schema.tables import last_used as last_used
from gatepost.database.schema.tables import secrets as secrets
from gatepost.database.schema.tables import settings as settings
from gatepost.database.schema.tables import terms as terms
from gatepost.database.schema.tables import usage as usage
from gatepost.database.schema.tables import usage_batches as usage_batches
from gatepost.database.schema.tables import workers as workers
