-- Names and types of a staging table's columns, in order.
-- params: staging_table
-- result: column_name, column_type
SELECT
  column_name,
  column_type
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = %(staging_table)s
ORDER BY ordinal_position
