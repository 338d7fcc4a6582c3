"""The verbs, over every database."""
