"""Real servers for the tests: each a private process on this machine, started by the tests and stopped by its id."""
