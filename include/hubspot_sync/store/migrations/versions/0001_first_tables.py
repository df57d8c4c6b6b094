"""The first tables."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from include.hubspot_sync.store.statements import statement

revision = "0001"
down_revision = None

TABLES = (
    "sync_run",
    "run_lock",
    "snapshot",
    "ledger",
    "outbox",
    "batch",
    "rejected_record",
    "rate_limit",
    "api_usage",
    "audit_event",
)


def upgrade() -> None:
    """Create every table that is missing: DDL commits by itself, so a migration that broke off begins again."""
    for table in TABLES:
        op.execute(text(statement(f"schema/create_{table}.sql")))
