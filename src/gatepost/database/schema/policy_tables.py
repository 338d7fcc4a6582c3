"""The tables of policies, and of what one process does for all. Triggers and change log watch neither."""

from sqlalchemy import Column, Double, String, Table, Text

from gatepost.base import PROJECT_MAX
from gatepost.database.schema.tables import UTCDateTime, _exact, _in_mysql, metadata

policies = Table(
    "gatepost_policies",
    metadata,
    Column("project", _exact(PROJECT_MAX), primary_key=True, comment="whose keys; empty = all keys"),
    Column("terms", Text, nullable=False, comment="JSON object"),
    Column("idle_from", UTCDateTime, comment="idle keys are switched off from then on; null = never"),
    Column("updated_at", UTCDateTime, nullable=False),
    **_in_mysql,
)
"""What is asked of keys. How many there are stands in `gatepost_counter`, so that a change reads none where none is."""

leases = Table(
    "gatepost_leases",
    metadata,
    Column("name", String(20), primary_key=True, comment="what one process does for all"),
    Column("holder", String(32), nullable=False, comment="random, per process; empty = nobody"),
    Column("until", Double(), nullable=False, comment="seconds since the epoch: nobody else does it before"),
    **_in_mysql,
)
