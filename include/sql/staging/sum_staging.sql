-- What the staging table holds, to compare with what the validator counted.
-- params: run_id
-- result: row_count and one sum per integer column
SELECT COUNT(*) AS row_count{sums}
FROM {staging_table}
WHERE run_id = %(run_id)s
