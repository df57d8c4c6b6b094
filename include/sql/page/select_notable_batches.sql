-- The batches of a run that are under way, were tried more than once, or have a reason to tell.
-- params: run_id
SELECT batch_no, shard, kind, row_count, state, attempts, http_status, latency_ms, correlation_id, reason
FROM batch
WHERE run_id = %(run_id)s AND (state = 'leased' OR attempts > 1 OR reason IS NOT NULL)
ORDER BY batch_no
LIMIT 100
