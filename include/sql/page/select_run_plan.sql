-- The plan of a run, and the last run that was to apply it.
-- params: run_id
-- result: plan, samples, made_at, applies_run_id, applied_by
-- index: run_plan PK, run_plan_applies (applies_run_id)
SELECT
  p.plan,
  p.samples,
  p.made_at,
  p.applies_run_id,
  (SELECT MAX(a.run_id) FROM run_plan a WHERE a.applies_run_id = p.run_id) AS applied_by
FROM run_plan p
WHERE p.run_id = %(run_id)s
