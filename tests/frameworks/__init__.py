"""The middleware and `requires` around real frameworks, in process."""
