"""How a command ends, for programs."""

from gatepost.cli.codes.codes import ExitCode as ExitCode
