"""How the page tells things: errors, moments, permissions, limits, what a change changed. Pure."""

from gatepost.admin.page.told.failures import FORGED as FORGED
from gatepost.admin.page.told.failures import REFUSALS as REFUSALS
from gatepost.admin.page.told.failures import TOLD as TOLD
from gatepost.admin.page.told.failures import Failure as Failure
from gatepost.admin.page.told.failures import failure_of as failure_of
from gatepost.admin.page.told.failures import refusal_status as refusal_status
from gatepost.admin.page.told.failures import sentence as sentence
from gatepost.admin.page.told.history import Difference as Difference
from gatepost.admin.page.told.limits import LIMIT_PRESETS as LIMIT_PRESETS
from gatepost.admin.page.told.limits import limit_most as limit_most
from gatepost.admin.page.told.moments import date as date
from gatepost.admin.page.told.moments import full as full
from gatepost.admin.page.told.moments import span as span
from gatepost.admin.page.told.permissions import EVERYTHING_HELD as EVERYTHING_HELD
from gatepost.admin.page.told.permissions import Group as Group
from gatepost.admin.page.told.permissions import default_presets as default_presets
from gatepost.admin.page.told.permissions import grouped as grouped
from gatepost.admin.page.told.permissions import grouped_names as grouped_names
from gatepost.admin.page.told.permissions import sentences as sentences
