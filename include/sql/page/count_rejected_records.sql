-- How many lines of this run's file were not loaded, and how many records were last refused in this run.
-- params: sync_name, run_id
-- result: rejected
SELECT COUNT(*) AS rejected
FROM rejected_record
WHERE
  sync_name = %(sync_name)s
  AND (
    (stage = 'deliver' AND run_id = %(run_id)s)
    OR (stage = 'validate' AND source_file = (SELECT r.source_file FROM sync_run AS r WHERE r.run_id = %(run_id)s))
  )
