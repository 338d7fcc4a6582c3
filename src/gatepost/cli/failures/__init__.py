"""How the shell ends where something went wrong. Of the others it knows `base`."""

from gatepost.cli.failures.failures import ExitCode as ExitCode
from gatepost.cli.failures.failures import report as report
