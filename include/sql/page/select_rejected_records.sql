-- The first lines of this run's file that were not loaded, and records that were last refused in this run, open ones first.
-- params: sync_name, run_id
SELECT
  id, run_id, stage, source_file, line_no, line_count, column_name, key_text, reason, reason_text, correlation_id,
  attempts, first_seen_at, last_seen_at, released_at, resolved_at, LEFT(payload, 1000) AS payload
FROM rejected_record
WHERE
  sync_name = %(sync_name)s
  AND (
    (stage = 'deliver' AND run_id = %(run_id)s)
    OR (stage = 'validate' AND source_file = (SELECT r.source_file FROM sync_run AS r WHERE r.run_id = %(run_id)s))
  )
ORDER BY resolved_at IS NOT NULL, stage, line_no, id
LIMIT 100
