-- How many lines and records were last refused in this run.
-- params: sync_name, run_id
-- result: rejected
SELECT COUNT(*) AS rejected
FROM rejected_record
WHERE sync_name = %(sync_name)s AND run_id = %(run_id)s
