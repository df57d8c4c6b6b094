"""Everything that is written in a MySQL schema, as texts to search in."""

from __future__ import annotations

from collections.abc import Iterator

from tools.local_stack.mysql import MysqlAddress


def table_texts(address: MysqlAddress) -> Iterator[tuple[str, str]]:
    """Yield each row of each table as (table, text)."""
    connection = address.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW TABLES")
            for (table,) in cursor.fetchall():
                cursor.execute(f"SELECT * FROM `{table}`")  # noqa: S608  our own names
                for row in cursor.fetchall():
                    yield table, " ".join(value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                                          for value in row)  # fmt: skip
    finally:
        connection.close()


def tables_with(address: MysqlAddress, *texts: str) -> set[str]:
    """Return the tables in which one of the texts is written, in whatever case."""
    wanted = [text.lower() for text in texts]
    return {table for table, row in table_texts(address) if any(text in row.lower() for text in wanted)}
