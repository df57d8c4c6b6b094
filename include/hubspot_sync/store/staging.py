"""The staging table of a sync: created from its definition, loaded from a validated file, proved before commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from include.hubspot_sync.config import Column, ColumnType, SyncDefinition
from include.hubspot_sync.errors import StoreUnavailableError
from include.hubspot_sync.store.connection import Transaction

_INT_MAX = 2_147_483_647


def _column_type(column: Column) -> str:
    match column.type:
        case ColumnType.INTEGER:
            small = column.max == "current_year" or column.max <= _INT_MAX
            return "int" if small else "bigint"
        case ColumnType.TEXT:
            return f"varchar({column.max_length})"
        case ColumnType.CHOICE:
            return f"varchar({max(map(len, column.choices.values()))})"


def _wanted_columns(definition: SyncDefinition) -> dict[str, str]:
    fixed = {"run_id": "bigint", "line_no": "int unsigned", "key_text": "varchar(320)"}
    return fixed | {column.name: _column_type(column) for column in definition.source.columns}


def _plain_type(column_type: str) -> str:
    """Drop the display width that MariaDB still shows: `int(11)` is `int`."""
    base, _, rest = column_type.lower().partition("(")
    if base in {"int", "bigint"}:
        return " ".join([base, *rest.partition(")")[2].split()])
    return column_type.lower()


def staging_fits(transaction: Transaction, definition: SyncDefinition) -> bool:
    """Tell whether the staging table exists with exactly the columns of the definition."""
    params = {"staging_table": definition.staging_table}
    existing = {
        row["column_name"]: _plain_type(row["column_type"])
        for row in transaction.rows("staging/select_staging_columns.sql", params)
    }
    return existing == _wanted_columns(definition)


def ensure_staging(transaction: Transaction, definition: SyncDefinition) -> None:
    """Create the staging table, anew when its columns no longer fit. Needs CREATE and DROP."""
    if staging_fits(transaction, definition):
        return
    columns = [f"{column.name} {_column_type(column).upper()} NOT NULL" for column in definition.source.columns]
    slots = {"staging_table": definition.staging_table, "column_definitions": ",\n  ".join(columns)}
    transaction.execute("staging/drop_staging.sql", slots=slots)
    transaction.execute("staging/create_staging.sql", slots=slots)


def staged_sums(transaction: Transaction, definition: SyncDefinition, names: Sequence[str]) -> dict[str, int]:
    """Return the sums of integer columns over the file that is staged now; empty when there is none."""
    slots = {"staging_table": definition.staging_table, "sums": _sums(names)}
    staged = transaction.rows("staging/select_staged_run.sql", slots=slots)
    if not staged:
        return {}
    held = transaction.rows("staging/sum_staging.sql", {"run_id": staged[0]["run_id"]}, slots)[0]
    return {name: int(held[name]) for name in names}


def _sums(names: Iterable[str]) -> str:
    return "".join(f", COALESCE(SUM({name}), 0) AS {name}" for name in names)


def load_staging(
    transaction: Transaction,
    definition: SyncDefinition,
    run_id: int,
    clean_file: Path,
    *,
    rows: int,
    sums: Mapping[str, int],
) -> None:
    """Replace the staging rows by those of a validated file and prove that every one arrived unchanged.

    Args:
        transaction: Open transaction; on an error the caller rolls back and the old rows stay.
        definition: Sync whose table is filled.
        run_id: Run that the rows belong to.
        clean_file: `line_no,key_text,<columns>` without header.
        rows: Rows that the validator wrote.
        sums: Sum of each integer column, by name.

    Raises:
        StoreUnavailableError: rows, warnings or sums differ from the validator's; try again.
    """
    slots = {
        "staging_table": definition.staging_table,
        "columns": ", ".join(column.name for column in definition.source.columns),
        "sums": _sums(sums),
    }
    transaction.execute("staging/delete_staging.sql", slots=slots)
    loaded = transaction.execute("staging/load_staging.sql", {"path": str(clean_file), "run_id": run_id}, slots)
    warnings = transaction.warning_count()
    held = transaction.rows("staging/sum_staging.sql", {"run_id": run_id}, slots)[0]
    expected = {"row_count": rows} | dict(sums)
    found = {name: int(value) for name, value in held.items()}
    if loaded != rows or warnings or found != expected:
        raise StoreUnavailableError(
            f"load data into {definition.staging_table} did not prove itself: {loaded} of {rows} rows, "
            f"{warnings} warnings, sums {found} instead of {expected}"
        )
