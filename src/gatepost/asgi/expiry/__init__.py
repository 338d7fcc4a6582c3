"""What a caller is told whose key ends soon."""

from gatepost.asgi.expiry.notice import ExpiryNotice as ExpiryNotice
