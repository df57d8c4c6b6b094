"""How the work beside the runs ended; requests to HubSpot before a run has a row."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from include.hubspot_sync.store.statements import statement

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the tables that an earlier try of this revision has not."""
    for name in ("schema/create_chore.sql", "schema/create_early_request.sql"):
        op.execute(text(statement(name)))
