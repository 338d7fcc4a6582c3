"""Usage: counted, written once, read, pruned."""
