"""Gatepost on real processes that fail: a short form of `python -m benchmarks.revocation`, which can itself fail."""
