-- Where a plan that is appended to the run goes on.
-- params: run_id
-- result: last_seq, last_batch_no
SELECT COALESCE(MAX(seq), 0) AS last_seq, COALESCE(MAX(batch_no), 0) AS last_batch_no
FROM outbox
WHERE run_id = %(run_id)s
