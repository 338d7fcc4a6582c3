"""What is asked of keys."""
