-- Stop the delivery clock at the last commit of delivered rows, as the batches remember it.
-- params: run_id
UPDATE sync_run
SET last_delivered_at = (SELECT MAX(b.delivered_at) FROM batch b WHERE b.run_id = %(run_id)s)
WHERE run_id = %(run_id)s
