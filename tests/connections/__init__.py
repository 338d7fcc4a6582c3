"""Open connections are ended when their key dies, and only then."""
