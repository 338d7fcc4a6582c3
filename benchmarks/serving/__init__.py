"""Servers that serve the contestants, each a process of its own, and the client that loads them."""
