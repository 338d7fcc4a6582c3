"""Managing keys over HTTP: the REST API and the page, as one ASGI app."""
