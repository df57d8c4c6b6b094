-- The ends of runs that were closed before `run_end` existed.
INSERT INTO run_end (run_id, end_no, sync_name, mode, state, started_at, ended_at, summary)
SELECT r.run_id, 1, r.sync_name, r.mode, r.state, r.started_at, r.finished_at, r.summary
FROM sync_run r
WHERE r.finished_at IS NOT NULL AND r.summary IS NOT NULL AND r.state IN ('done', 'failed', 'superseded')
ON DUPLICATE KEY UPDATE run_id = VALUES(run_id)
