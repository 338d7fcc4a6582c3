"""The places where lookups are remembered: this process's memory, then Redis. Neither knows of the other."""
