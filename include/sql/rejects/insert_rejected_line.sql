-- Keep a source line that was not loaded.
-- params: sync_name, fingerprint, run_id, source_file, line_no, column_name, record_key, key_text, reason, reason_text, payload
INSERT INTO rejected_record (
  sync_name, fingerprint, run_id, stage, source_file, line_no, line_count, column_name, record_key, key_text,
  reason, reason_text, payload, first_seen_at, last_seen_at
)
VALUES (
  %(sync_name)s, %(fingerprint)s, %(run_id)s, 'validate', %(source_file)s, %(line_no)s, 1, %(column_name)s, %(record_key)s,
  %(key_text)s, %(reason)s, %(reason_text)s, %(payload)s, NOW(6), NOW(6)
)
ON DUPLICATE KEY UPDATE
  run_id = VALUES(run_id), attempts = attempts + 1, last_seen_at = NOW(6), released_at = NULL, resolved_at = NULL
