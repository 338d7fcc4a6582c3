"""Quart with quart-schema: `openapi_provider(keys)` has its document tell of keys."""

from gatepost.integrations.quart.provider import openapi_provider as openapi_provider
