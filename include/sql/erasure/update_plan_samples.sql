-- Keep other samples with a plan.
-- params: run_id, samples
UPDATE run_plan SET samples = %(samples)s WHERE run_id = %(run_id)s
