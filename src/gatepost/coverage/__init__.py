"""What of an app is behind which permission, as far as the app tells it, and what keys have and use of that. Knows
`asgi`, `keys`, `rules`.
"""

from gatepost.coverage.baseline import Accepted as Accepted
from gatepost.coverage.baseline import gone_from as gone_from
from gatepost.coverage.baseline import new_in as new_in
from gatepost.coverage.baseline import read_baseline as read_baseline
from gatepost.coverage.baseline import write_baseline as write_baseline
from gatepost.coverage.gap import Gap as Gap
from gatepost.coverage.grants import Grants as Grants
from gatepost.coverage.grants import grants_of as grants_of
from gatepost.coverage.needs import Needs as Needs
from gatepost.coverage.needs import is_page as is_page
from gatepost.coverage.probing import prove as prove
from gatepost.coverage.report import Coverage as Coverage
from gatepost.coverage.report import coverage_of as coverage_of
from gatepost.coverage.report import gap_json as gap_json
from gatepost.coverage.report import needs_text as needs_text
from gatepost.coverage.route import Route as Route
