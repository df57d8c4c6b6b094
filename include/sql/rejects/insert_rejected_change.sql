-- Keep a record that HubSpot refused, with where it came from.
-- params: sync_name, fingerprint, run_id, seq, column_name, reason, reason_text, correlation_id
INSERT INTO rejected_record (
  sync_name, fingerprint, run_id, stage, source_file, line_no, line_count, column_name, record_key, key_text, row_hash,
  reason, reason_text, correlation_id, payload, first_seen_at, last_seen_at
)
SELECT
  %(sync_name)s, %(fingerprint)s, %(run_id)s, 'deliver', COALESCE(r.source_file, ''), s.first_line, s.line_count,
  %(column_name)s, o.record_key, o.key_text, o.row_hash, %(reason)s, %(reason_text)s, %(correlation_id)s,
  COALESCE(o.properties, '{}'), NOW(6), NOW(6)
FROM outbox o
INNER JOIN sync_run r ON r.run_id = o.run_id
LEFT JOIN snapshot s ON s.run_id = o.run_id AND s.record_key = o.record_key
WHERE o.run_id = %(run_id)s AND o.seq = %(seq)s
ON DUPLICATE KEY UPDATE
  run_id = VALUES(run_id), row_hash = VALUES(row_hash), line_no = VALUES(line_no), line_count = VALUES(line_count),
  correlation_id = VALUES(correlation_id), payload = VALUES(payload),
  rejected_record.attempts = rejected_record.attempts + 1, last_seen_at = NOW(6),
  released_at = NULL, resolved_at = NULL
