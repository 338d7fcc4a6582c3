"""What may be believed, and when: tiers, coalescing, several workers, faults of Redis and of the database."""
