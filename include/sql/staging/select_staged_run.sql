-- The run whose file a staging table holds; no row when it is empty.
-- result: run_id
SELECT run_id FROM {staging_table} LIMIT 1
