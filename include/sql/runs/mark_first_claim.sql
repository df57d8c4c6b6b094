-- Start the delivery clock at the first claim of the run; a shard that is cleared later opens the run again.
-- params: run_id
UPDATE sync_run
SET state = 'delivering', first_claim_at = COALESCE(first_claim_at, NOW(6))
WHERE run_id = %(run_id)s AND state IN ('planned', 'failed', 'done')
