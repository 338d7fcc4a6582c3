"""The middleware under real ASGI servers, each a process of its own."""
