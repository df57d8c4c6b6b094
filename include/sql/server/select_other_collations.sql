-- Tables with text that is not compared byte by byte, where two keys could be one.
-- params: staging_table
-- result: table_name
SELECT DISTINCT table_name
FROM information_schema.columns
WHERE
  table_schema = DATABASE() AND collation_name <> 'utf8mb4_bin'
  AND table_name IN ('ledger', 'outbox', 'rejected_record', 'run_lock', 'snapshot', 'sync_run', %(staging_table)s)
ORDER BY table_name
