"""Where the time of a run went; requests of a portal by second."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from include.hubspot_sync.store.statements import statement

revision = "0002"
down_revision = "0001"

TABLES = ("run_phase", "request_second")


def upgrade() -> None:
    """Create the tables that an earlier try of this revision has not."""
    for table in TABLES:
        op.execute(text(statement(f"schema/create_{table}.sql")))
