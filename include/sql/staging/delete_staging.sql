-- Empty a staging table: it holds the rows of one file only.
DELETE FROM {staging_table}
