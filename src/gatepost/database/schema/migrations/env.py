"""Alembic's entry: runs the migrations over the connection that `gatepost.database.schema` hands in."""

from alembic import context

from gatepost.database.schema.schema import VERSION_TABLE
from gatepost.database.schema.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
