-- Of the newest 500 runs those that began since some moment, and older ones that may still have changes in the queue.
-- params: sync_name, since
-- index: sync_run_sync (sync_name, run_id)
SELECT r.run_id, r.state, r.started_at, r.finished_at, r.planned_at
FROM (
  SELECT run_id, state, started_at, finished_at, planned_at
  FROM sync_run
  WHERE sync_name = %(sync_name)s
  ORDER BY run_id DESC
  LIMIT 500
) r
WHERE r.started_at >= %(since)s OR (r.planned_at IS NOT NULL AND r.state NOT IN ('done', 'superseded'))
ORDER BY r.run_id DESC
