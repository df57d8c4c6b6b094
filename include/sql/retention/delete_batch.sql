-- Remove the first batches of a run.
-- params: run_id, chunk_rows
-- index: batch PK (run_id, batch_no)
DELETE FROM batch
WHERE run_id = %(run_id)s
ORDER BY batch_no
LIMIT %(chunk_rows)s
