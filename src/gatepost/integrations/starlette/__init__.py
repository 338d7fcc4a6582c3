"""Starlette: `SchemaGenerator`, its own one with what is to be known of keys."""

from gatepost.integrations.starlette.schemas import SchemaGenerator as SchemaGenerator
