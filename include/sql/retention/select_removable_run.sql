-- Whether nobody can need the rows of a run: it is over, a later run has planned its records, so that the lock refuses it for
-- good, it is not the accepted one, and none of its batches is open. A plan is never taken back, so this needs no lock.
-- params: run_id
-- result: run_id; no row: everything stays
-- index: sync_run PK and sync_run_sync (sync_name, run_id), batch_shard (run_id, shard, state)
SELECT r.run_id
FROM sync_run r
WHERE
  r.run_id = %(run_id)s AND r.state IN ('done', 'failed', 'superseded')
  AND EXISTS (
    SELECT 1 FROM sync_run p
    WHERE p.sync_name = r.sync_name AND p.portal_id = r.portal_id AND p.planned_at IS NOT NULL AND p.epoch > r.epoch
  )
  AND r.run_id <> COALESCE((
    SELECT a.run_id FROM sync_run a
    WHERE a.sync_name = r.sync_name AND a.portal_id = r.portal_id AND a.is_accepted = 1
    ORDER BY COALESCE(a.planned_at, a.started_at) DESC, a.run_id DESC
    LIMIT 1
  ), 0)
  AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.run_id = r.run_id AND b.state IN ('ready', 'leased'))
