-- The counts of a staged file.
-- params: run_id, source_rows, quarantined_lines, unreadable_key_lines, suppressed_lines, records, quarantined
UPDATE sync_run
SET
  state = 'staged', source_rows = %(source_rows)s, quarantined_lines = %(quarantined_lines)s,
  unreadable_key_lines = %(unreadable_key_lines)s, suppressed_lines = %(suppressed_lines)s,
  records = %(records)s, quarantined = %(quarantined)s
WHERE run_id = %(run_id)s
