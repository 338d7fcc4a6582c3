"""What lists by expiry and searches for secrets need: an index for that order, and terms written anew."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add indexes, and forget that the terms are written: after the migrations they are, with those of the secrets."""
    op.create_index("ix_gatepost_keys_active_expires_at_id", "gatepost_keys", ["active", "expires_at", "id"])
    op.create_index(
        "ix_gatepost_keys_project_active_expires_at_id", "gatepost_keys", ["project", "active", "expires_at", "id"]
    )
    op.execute("DELETE FROM gatepost_settings WHERE name = 'terms_seq'")
