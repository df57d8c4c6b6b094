-- One page of a sync's rejected records in the order of their id, which is the order of their first appearance.
-- params: sync_name, after_id, run_id (NULL: of every run), stage, reason, state (each '' for all), key_pattern ('' for all), row_limit
-- index: PK (id) or rejected_record_reason (sync_name)
SELECT
  q.id, q.run_id, q.stage, q.source_file, q.line_no, q.line_count, q.column_name, q.key_text, q.reason, q.reason_text,
  q.correlation_id, q.attempts, q.first_seen_at, q.last_seen_at, q.released_at, q.resolved_at,
  LEFT(q.payload, 1000) AS payload
FROM rejected_record q
WHERE
  q.sync_name = %(sync_name)s AND q.id > %(after_id)s
  AND (%(stage)s = '' OR q.stage = %(stage)s)
  AND (%(reason)s = '' OR q.reason = %(reason)s)
  AND (%(key_pattern)s = '' OR q.key_text LIKE %(key_pattern)s)
  AND (
    %(state)s = ''
    OR (%(state)s = 'resolved' AND q.resolved_at IS NOT NULL)
    OR (%(state)s = 'released' AND q.resolved_at IS NULL AND q.released_at IS NOT NULL)
    OR (%(state)s = 'open' AND q.resolved_at IS NULL AND q.released_at IS NULL)
  )
  AND (
    %(run_id)s IS NULL
    OR (q.stage = 'deliver' AND q.run_id = %(run_id)s)
    OR (q.stage = 'validate' AND q.source_file = (SELECT r.source_file FROM sync_run AS r WHERE r.run_id = %(run_id)s))
  )
ORDER BY q.id
LIMIT %(row_limit)s
