-- Keep what a run was going to do; a run that is planned anew keeps its latest plan.
-- params: run_id, fingerprint, applies_run_id, plan, samples
INSERT INTO run_plan (run_id, fingerprint, applies_run_id, plan, samples, made_at)
VALUES (%(run_id)s, %(fingerprint)s, %(applies_run_id)s, %(plan)s, %(samples)s, NOW(6))
ON DUPLICATE KEY UPDATE
  fingerprint = VALUES(fingerprint), applies_run_id = VALUES(applies_run_id), plan = VALUES(plan),
  samples = VALUES(samples), made_at = NOW(6)
