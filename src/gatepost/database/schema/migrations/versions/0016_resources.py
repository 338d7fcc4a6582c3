"""The resources that permissions of keys and roles are limited to."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

OWN = "JSON array of those that its permissions hold on; null = every one"
BY_ROLES = "JSON object: those of what it has by limited roles alone; null = empty"


def upgrade() -> None:
    """Add columns. Keys and roles from before are limited to nothing."""
    op.add_column("gatepost_keys", sa.Column("resources", sa.Text, comment=OWN))
    op.add_column("gatepost_keys", sa.Column("role_resources", sa.Text, comment=BY_ROLES))
    op.add_column("gatepost_roles", sa.Column("resources", sa.Text, comment=OWN))
