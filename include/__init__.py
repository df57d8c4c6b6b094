"""Everything the DAGs import: the package, the sync definitions and the SQL."""
