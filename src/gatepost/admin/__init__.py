"""`Admin`: where people and programs manage keys. Knows `keys`, `rules` and `asgi`."""

from gatepost.admin.app import Admin as Admin
