"""What the wait for workers needs: a beat that tells a live worker without any clock, and a name for people."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns. No version before this one wrote rows into the table."""
    op.add_column(
        "gatepost_workers",
        sa.Column("beat", sa.BigInteger, nullable=False, server_default="0", comment="random, new with each renewal"),
    )
    op.add_column(
        "gatepost_workers",
        sa.Column("name", sa.String(200), nullable=False, server_default="", comment="host and process, for people"),
    )
