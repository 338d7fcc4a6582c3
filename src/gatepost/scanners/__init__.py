"""Rules for secret scanners, for a prefix of secrets. Of the others it knows `base`; pure."""

from gatepost.scanners.scanners import SCANNERS as SCANNERS
from gatepost.scanners.scanners import rules_for as rules_for
