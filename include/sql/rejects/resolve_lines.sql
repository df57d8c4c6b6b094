-- A line that was not loaded is of the past once another file of the dataset is planned.
-- params: run_id, sync_name
UPDATE rejected_record q
INNER JOIN sync_run r ON r.run_id = %(run_id)s
SET q.resolved_at = NOW(6)
WHERE q.sync_name = %(sync_name)s AND q.stage = 'validate' AND q.resolved_at IS NULL AND q.source_file <> r.source_file
