"""A deterministic simulation of several workers over one database and one Redis, all of them misbehaving."""
