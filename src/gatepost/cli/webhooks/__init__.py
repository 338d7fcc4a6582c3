"""`gatepost webhooks …`: what is told to the outside, and what was given up."""

from gatepost.cli.webhooks.webhooks import app as app
