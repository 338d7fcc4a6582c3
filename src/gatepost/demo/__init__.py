"""A small digital-asset store in which each of the 31 built-in permissions guards a route that does the real thing."""
