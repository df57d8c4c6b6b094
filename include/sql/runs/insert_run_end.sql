-- Note that a run ends, before its row is closed. A row that is closed in the same state already is no new end: the
-- transaction runs again after a lost COMMIT, or only `finish` was cleared and came to the same result.
-- params: run_id, state, summary
INSERT INTO run_end (run_id, end_no, sync_name, mode, state, started_at, ended_at, summary)
SELECT
  r.run_id,
  (SELECT COALESCE(MAX(e.end_no), 0) + 1 FROM run_end e WHERE e.run_id = r.run_id),
  r.sync_name, r.mode, %(state)s, r.started_at, NOW(6), %(summary)s
FROM sync_run r
WHERE r.run_id = %(run_id)s AND (r.finished_at IS NULL OR r.summary IS NULL OR r.state <> %(state)s)
ON DUPLICATE KEY UPDATE run_id = VALUES(run_id)
