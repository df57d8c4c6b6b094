-- Remove the first changes of a run.
-- params: run_id, chunk_rows
-- index: outbox PK (run_id, seq)
DELETE FROM outbox
WHERE run_id = %(run_id)s
ORDER BY seq
LIMIT %(chunk_rows)s
