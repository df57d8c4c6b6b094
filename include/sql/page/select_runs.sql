-- The latest runs of a sync, newest first.
-- params: sync_name
-- index: sync_run_sync (sync_name, run_id)
SELECT
  run_id, dag_run_key, mode, state, source_version, source_file, source_rows, records, planned, summary, reason_text,
  started_at, finished_at, NOW(6) AS read_at
FROM sync_run
WHERE sync_name = %(sync_name)s
ORDER BY run_id DESC
LIMIT 50
