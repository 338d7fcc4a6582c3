"""`gatepost coverage`."""

from gatepost.cli.coverage.coverage import coverage as coverage
