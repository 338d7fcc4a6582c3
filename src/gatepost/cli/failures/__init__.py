"""How the shell ends where something went wrong. Of the others it knows `base` and `cli.codes`."""

from gatepost.cli.failures.failures import report as report
