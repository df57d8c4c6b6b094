-- The kept plans of a sync with their samples.
-- params: sync_name
-- result: run_id, samples
SELECT p.run_id, p.samples
FROM run_plan p
INNER JOIN sync_run r ON r.run_id = p.run_id
WHERE r.sync_name = %(sync_name)s
FOR UPDATE
