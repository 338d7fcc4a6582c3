"""Temporary secrets: what a template says, what such a secret claims, and what is left of it. Pure; of the others it
knows `base` and `rules`.
"""

from gatepost.temporary.claims import ID_BYTES as ID_BYTES
from gatepost.temporary.claims import SUBJECT_BYTES_MAX as SUBJECT_BYTES_MAX
from gatepost.temporary.claims import TEXT_MAX as TEXT_MAX
from gatepost.temporary.claims import Claims as Claims
from gatepost.temporary.claims import TemporaryFormat as TemporaryFormat
from gatepost.temporary.claims import tags_of as tags_of
from gatepost.temporary.record import TemporaryRecord as TemporaryRecord
from gatepost.temporary.record import decide_temporary as decide_temporary
from gatepost.temporary.record import origin_of as origin_of
from gatepost.temporary.template import LIFETIME as LIFETIME
from gatepost.temporary.template import LIFETIME_MAX as LIFETIME_MAX
from gatepost.temporary.template import ORIGINS_MAX as ORIGINS_MAX
from gatepost.temporary.template import Template as Template
from gatepost.temporary.template import TemporarySecret as TemporarySecret
from gatepost.temporary.template import Terms as Terms
from gatepost.temporary.template import checked_lifetime as checked_lifetime
from gatepost.temporary.template import terms_of as terms_of
