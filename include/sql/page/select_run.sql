-- One run, only if it belongs to this sync.
-- params: run_id, sync_name
SELECT
  run_id, dag_run_key, mode, state, source_version, source_file, source_rows, records, planned, summary, reason_text,
  started_at, finished_at, NOW(6) AS read_at
FROM sync_run
WHERE run_id = %(run_id)s AND sync_name = %(sync_name)s
