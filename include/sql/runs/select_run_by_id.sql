-- The times and the epoch of a run.
-- params: run_id
-- result: epoch, first_claim_at, last_delivered_at, deliver_s
SELECT
  epoch,
  first_claim_at,
  last_delivered_at,
  COALESCE(TIMESTAMPDIFF(MICROSECOND, first_claim_at, last_delivered_at), 0) / 1000000 AS deliver_s
FROM sync_run
WHERE run_id = %(run_id)s
