"""People who were erased, by hash, and how many lines of a file were left out because of them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import inspect, text

from include.hubspot_sync.store.statements import statement

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table and add the column, if an earlier try of this revision has not."""
    op.execute(text(statement("schema/create_suppressed_key.sql")))
    columns = {column["name"] for column in inspect(op.get_bind()).get_columns("sync_run")}
    if "suppressed_lines" not in columns:
        op.execute(text(statement("schema/add_suppressed_lines.sql")))
