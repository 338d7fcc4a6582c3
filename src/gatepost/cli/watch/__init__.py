"""How the shell follows an auditor's rounds, and tells of them."""

from gatepost.cli.watch.watch import Watch as Watch
