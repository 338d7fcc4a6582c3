"""What verbs are given, as their callers write it: the names of arguments, which keys are meant, what is stored of
it."""

from gatepost.keys.given.arguments import Edit as Edit
from gatepost.keys.given.arguments import EventFilters as EventFilters
from gatepost.keys.given.arguments import Filters as Filters
from gatepost.keys.given.arguments import LeakOptions as LeakOptions
from gatepost.keys.given.arguments import ListFilters as ListFilters
from gatepost.keys.given.arguments import Making as Making
from gatepost.keys.given.arguments import Options as Options
from gatepost.keys.given.arguments import Order as Order
from gatepost.keys.given.arguments import UsageDays as UsageDays
from gatepost.keys.given.arguments import UsageFilters as UsageFilters
from gatepost.keys.given.arguments import Wait as Wait
from gatepost.keys.given.columns import joined as joined
from gatepost.keys.given.columns import key_of as key_of
from gatepost.keys.given.columns import new_row as new_row
from gatepost.keys.given.columns import secret_columns as secret_columns
from gatepost.keys.given.selection import KIND as KIND
from gatepost.keys.given.selection import SELECTED_MAX as SELECTED_MAX
from gatepost.keys.given.selection import Selection as Selection
from gatepost.keys.given.selection import within as within
