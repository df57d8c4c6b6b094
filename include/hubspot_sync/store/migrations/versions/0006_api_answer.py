"""How long HubSpot took to answer, by classes of time."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from include.hubspot_sync.store.statements import statement

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table if an earlier try of this revision has not."""
    op.execute(text(statement("schema/create_api_answer.sql")))
