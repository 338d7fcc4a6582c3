"""Leaked secrets, and who tells of them."""
