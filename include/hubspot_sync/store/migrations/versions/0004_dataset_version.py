"""Versions of a dataset that were seen, and since when."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from include.hubspot_sync.store.statements import statement

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table if an earlier try of this revision has not."""
    op.execute(text(statement("schema/create_dataset_version.sql")))
