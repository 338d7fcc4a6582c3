"""Lists by metadata: keys that have some get its terms."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Leave word that terms are to be written of the keys that have metadata: after the migrations they are. Nothing
    where none has."""
    op.execute(
        "INSERT INTO gatepost_settings (name, value) SELECT 'terms_due', 'metadata' FROM gatepost_counter"
        " WHERE EXISTS (SELECT 1 FROM gatepost_keys WHERE metadata IS NOT NULL)"
    )
