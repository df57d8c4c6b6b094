-- Queue depth, and how long the oldest open change has been planned. Only runs with a batch that is not done can have open
-- changes, so the many rows of finished runs are never read.
-- result: sync_name, open_changes, oldest_age_s
-- index: batch PK (run_id), outbox PK (run_id)
SELECT
  u.sync_name, COUNT(*) AS open_changes,
  TIMESTAMPDIFF(MICROSECOND, MIN(u.planned_at), NOW(6)) / 1000000 AS oldest_age_s
FROM (
  SELECT DISTINCT r.run_id, r.sync_name, r.planned_at
  FROM sync_run r
  INNER JOIN batch b ON b.run_id = r.run_id
  WHERE r.planned_at IS NOT NULL AND r.state <> 'superseded' AND b.state IN ('ready', 'leased')
) u
INNER JOIN outbox o ON o.run_id = u.run_id
WHERE o.state IN ('pending', 'in_flight')
GROUP BY u.sync_name
