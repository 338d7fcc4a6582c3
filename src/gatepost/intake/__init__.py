"""What strangers may send, and how often: bodies that are read within bounds, a brake on guesses, a pace for calls. Of
the others it knows `base`.
"""

from gatepost.intake.body import read_body as read_body
from gatepost.intake.lines import line_of as line_of
from gatepost.intake.pace import Pace as Pace
from gatepost.intake.throttle import Throttle as Throttle
