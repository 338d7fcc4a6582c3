"""`gatepost policies …`: what is asked of keys."""

from gatepost.cli.policies.policies import app as app
