"""How long a test waits for an answer of a server that it started, however busy the machine is."""

PATIENCE_SECONDS = 120
