"""On PostgreSQL indexes by what a key may lack hold the keys that have it: changes of the others do not write them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

INDEXES = {
    "project": ("updated_at", "description", "expires_at"),
    "owner": ("created_seq",),
    "environment": ("created_seq",),
    "kind": ("created_seq",),
}


def upgrade() -> None:
    """Make them anew, and put them in the place of the old ones at the end: until then lookups and lists go on."""
    if op.get_context().dialect.name != "postgresql":
        return
    names = {f"{column}_active_{order}_id": (column, order) for column, orders in INDEXES.items() for order in orders}
    for name, (column, order) in names.items():
        has_it = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"new_{name}", "gatepost_keys", [column, "active", order, "id"], postgresql_where=has_it)
    for name in names:
        op.drop_index(f"ix_gatepost_keys_{name}", "gatepost_keys")
        op.execute(f"ALTER INDEX new_{name} RENAME TO ix_gatepost_keys_{name}")
