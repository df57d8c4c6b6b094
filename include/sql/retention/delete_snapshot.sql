-- Remove the first records of the snapshot of a run.
-- params: run_id, chunk_rows
-- index: snapshot PK (run_id, record_key)
DELETE FROM snapshot
WHERE run_id = %(run_id)s
ORDER BY record_key
LIMIT %(chunk_rows)s
