-- Remove the plan of a run, which holds samples of its changes.
-- params: run_id, chunk_rows
-- index: run_plan PK (run_id)
DELETE FROM run_plan
WHERE run_id = %(run_id)s
LIMIT %(chunk_rows)s
