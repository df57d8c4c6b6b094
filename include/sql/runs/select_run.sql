-- One run by its DAG run.
-- params: dag_run_key
SELECT
  run_id, dag_run_key, sync_name, portal_id, mode, state, epoch, mapping_hash, source_version, source_last_updated,
  source_sha256, manifest_key, is_unchanged, is_limited, source_rows, quarantined_lines, unreadable_key_lines,
  suppressed_lines, records, quarantined,
  plan_hash, planned, reason, reason_text
FROM sync_run
WHERE dag_run_key = %(dag_run_key)s
