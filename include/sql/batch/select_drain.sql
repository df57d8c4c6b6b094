-- How long requests of a run may still be on their way.
-- params: run_id, drain_s
-- result: wait_s
SELECT
  GREATEST(
    0, COALESCE(TIMESTAMPDIFF(MICROSECOND, NOW(6), MAX(lease_until) + INTERVAL %(drain_s)s SECOND) + 1, 0)
  ) / 1000000 AS wait_s
FROM batch
WHERE run_id = %(run_id)s AND lease_until IS NOT NULL
