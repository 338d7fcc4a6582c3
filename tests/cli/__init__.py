"""The command: what it prints where, how it exits, what its page says."""
