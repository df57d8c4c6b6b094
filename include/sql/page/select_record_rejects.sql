-- Why one record was rejected, or lines of it: newest first.
-- params: sync_name, record_key
-- index: rejected_record_key (sync_name, record_key)
SELECT
  id, run_id, stage, source_file, line_no, line_count, column_name, key_text, reason, reason_text, correlation_id,
  attempts, first_seen_at, last_seen_at, released_at, resolved_at, LEFT(payload, 1000) AS payload
FROM rejected_record
WHERE sync_name = %(sync_name)s AND record_key = %(record_key)s
ORDER BY id DESC
LIMIT 50
