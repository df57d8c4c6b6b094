-- The plan of a run, only if the run is of this sync.
-- params: run_id, sync_name
-- result: fingerprint, plan
SELECT p.fingerprint, p.plan
FROM run_plan p
INNER JOIN sync_run r ON r.run_id = p.run_id
WHERE p.run_id = %(run_id)s AND r.sync_name = %(sync_name)s
