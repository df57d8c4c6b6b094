-- Queue depth, and how long the oldest open change has been planned. Only the latest plan of a sync in a portal can hold open
-- changes, because it superseded those of the others. Of a batch that nobody has claimed yet every change is pending, so only
-- the changes of the others are looked at, one by one along the primary key: a scrape during a load of two million changes
-- reads 20,000 batches of one run and some thousand changes.
-- result: sync_name, open_changes, oldest_age_s
-- index: batch PK (run_id), outbox PK (run_id, seq)
WITH RECURSIVE place AS (
  SELECT 0 AS n
  UNION ALL
  SELECT n + 1 FROM place
  WHERE n < 99
),

latest_plan AS (
  SELECT sync_name, portal_id, MAX(epoch) AS epoch
  FROM sync_run
  WHERE planned_at IS NOT NULL
  GROUP BY sync_name, portal_id
),

open_batch AS (
  SELECT r.run_id, r.sync_name, r.planned_at, b.first_seq, b.last_seq, b.row_count, b.state = 'ready' AND b.attempts = 0 AS is_new
  FROM latest_plan l
  INNER JOIN sync_run r ON r.sync_name = l.sync_name AND r.portal_id = l.portal_id AND r.epoch = l.epoch
  INNER JOIN batch b ON b.run_id = r.run_id
  WHERE r.planned_at IS NOT NULL AND r.state NOT IN ('superseded', 'done') AND b.state IN ('ready', 'leased')
),

open_change AS (
  SELECT w.sync_name, w.planned_at, w.row_count AS changes
  FROM open_batch w
  WHERE w.is_new = 1
  UNION ALL
  SELECT STRAIGHT_JOIN w.sync_name, w.planned_at, 1 AS changes
  FROM open_batch w
  INNER JOIN place p ON p.n <= w.last_seq - w.first_seq
  INNER JOIN outbox o ON o.run_id = w.run_id AND o.seq = w.first_seq + p.n
  WHERE w.is_new = 0 AND o.state IN ('pending', 'in_flight')
)

SELECT
  sync_name, SUM(changes) AS open_changes,
  TIMESTAMPDIFF(MICROSECOND, MIN(planned_at), NOW(6)) / 1000000 AS oldest_age_s
FROM open_change
GROUP BY sync_name
