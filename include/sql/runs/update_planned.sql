-- The plan is complete; from here on this run is the newest for its records.
-- params: run_id, plan_hash
UPDATE sync_run
SET state = 'planned', plan_hash = %(plan_hash)s, planned_at = NOW(6)
WHERE run_id = %(run_id)s
