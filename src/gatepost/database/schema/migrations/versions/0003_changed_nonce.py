"""What the triggers tell the library's own changes of rows by. They are made apart: `gatepost.database.triggers`."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column."""
    for table in ("gatepost_keys", "gatepost_secrets"):
        op.add_column(
            table,
            sa.Column(
                "changed_nonce",
                sa.BigInteger,
                nullable=False,
                server_default="0",
                comment="nonce of the library's change that wrote the row last; -1 - nonce = it is about to delete it",
            ),
        )
