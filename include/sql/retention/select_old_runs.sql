-- Runs that ended long ago and still have rows, oldest first, without the newest ones that made a plan. A claim, an answer or a
-- later plan touches the batches, so a run whose end nobody noted a second time is not old yet.
-- `select_removable_run.sql` decides about each of them. With EXISTS, MariaDB reads batch and outbox from end to end.
-- params: sync_name, run_days, newer_runs (how many of the newest come before the oldest that is kept)
-- result: run_id
-- index: sync_run_sync (sync_name, run_id); the primary keys of outbox, batch, snapshot and run_plan begin with run_id
SELECT r.run_id
FROM sync_run r
WHERE
  r.sync_name = %(sync_name)s AND r.state IN ('done', 'failed', 'superseded')
  AND COALESCE(r.finished_at, r.started_at) < NOW(6) - INTERVAL %(run_days)s DAY
  AND COALESCE(
    (SELECT MAX(c.updated_at) FROM batch c WHERE c.run_id = r.run_id), r.started_at
  ) < NOW(6) - INTERVAL %(run_days)s DAY
  AND r.run_id < (
    SELECT k.run_id FROM sync_run k
    WHERE k.sync_name = %(sync_name)s AND k.planned IS NOT NULL AND k.state IN ('done', 'failed', 'superseded')
    ORDER BY k.run_id DESC
    LIMIT 1 OFFSET %(newer_runs)s
  )
  AND (
    (SELECT 1 FROM outbox o WHERE o.run_id = r.run_id LIMIT 1) = 1
    OR (SELECT 1 FROM batch b WHERE b.run_id = r.run_id LIMIT 1) = 1
    OR (SELECT 1 FROM snapshot s WHERE s.run_id = r.run_id LIMIT 1) = 1
    OR (SELECT 1 FROM run_plan n WHERE n.run_id = r.run_id) = 1
  )
ORDER BY r.run_id
