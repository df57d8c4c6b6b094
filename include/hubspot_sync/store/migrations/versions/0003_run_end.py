"""What the metrics exporter counts: every end of a run, and requests without a good answer."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from include.hubspot_sync.store.statements import statement

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables and take over the runs that ended before; all of it does nothing the second time."""
    for name in ("schema/create_run_end.sql", "runs/insert_past_ends.sql", "schema/create_api_error.sql"):
        op.execute(text(statement(name)))
