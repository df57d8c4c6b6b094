"""Alembic's entry: run the revisions on the engine that `migrate` hands over."""

from __future__ import annotations

from alembic import context

with context.config.attributes["engine"].connect() as connection:
    context.configure(connection=connection, version_table="schema_version")
    with context.begin_transaction():
        context.run_migrations()
