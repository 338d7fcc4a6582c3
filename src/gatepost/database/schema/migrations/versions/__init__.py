"""The migrations of the schema, run by `gatepost db upgrade` (Alembic)."""
