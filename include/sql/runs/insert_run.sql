-- Open the row of a DAG run; a cleared DAG run finds its old row.
-- params: dag_run_key, sync_name, portal_id, mode, is_limited
-- result: LAST_INSERT_ID() is the run_id
INSERT INTO sync_run (dag_run_key, sync_name, portal_id, mode, is_limited, state, started_at)
VALUES (%(dag_run_key)s, %(sync_name)s, %(portal_id)s, %(mode)s, %(is_limited)s, 'preflight', NOW(6))
ON DUPLICATE KEY UPDATE
  run_id = LAST_INSERT_ID(run_id), mode = VALUES(mode), is_limited = VALUES(is_limited), state = 'preflight',
  reason = NULL, reason_text = NULL, is_unchanged = 0, is_accepted = 0, finished_at = NULL
