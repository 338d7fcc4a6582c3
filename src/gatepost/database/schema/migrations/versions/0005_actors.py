"""Who acted, beyond the name: the actor's kind and id, and an index for each filter of the log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add columns and indexes. Events from before have no kind: whoever could choose a name could be called `key ...`.
    What looks like a key's has the id that it claims, so that nothing that a key made is missed for being old."""
    in_mysql = mysql.VARCHAR(200, charset="utf8mb4", collation="utf8mb4_bin")
    exact = sa.String(200).with_variant(in_mysql, "mysql", "mariadb")
    op.add_column(
        "gatepost_events",
        sa.Column(
            "actor_kind", sa.String(20), comment="a value of ActorKind; null = not known, so the name proves nothing"
        ),
    )
    op.add_column(
        "gatepost_events", sa.Column("actor_id", exact, comment="tells the actor from all others of its kind")
    )
    op.execute(
        "UPDATE gatepost_events SET actor_id = SUBSTR(actor, 5) WHERE actor LIKE 'key ____________' AND kind <> 'sql'"
    )
    op.drop_index("ix_gatepost_events_kind_seq", "gatepost_events")
    for column in ("kind", "actor_kind", "actor_id", "at"):
        op.create_index(f"ix_gatepost_events_{column}_seq", "gatepost_events", [column, "seq"])
