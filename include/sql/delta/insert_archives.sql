-- Queue the archive of every active contact whose record is no longer in the source. Withheld records are not removed.
-- params: run_id, sync_name, first_seq, first_batch_no, batch_size
-- result: rows in outbox, state pending
-- index: ledger PK (sync_name, record_key), snapshot PK (run_id, record_key)
INSERT INTO outbox (
  run_id, seq, batch_no, operation, record_key, key_text, previous_properties, hubspot_id, state, updated_at
)
SELECT
  %(run_id)s,
  %(first_seq)s + d.rn - 1,
  %(first_batch_no)s + (d.rn - 1) DIV %(batch_size)s,
  'archive',
  d.record_key,
  d.key_text,
  d.properties,
  d.hubspot_id,
  'pending',
  NOW(6)
FROM (
  SELECT
    l.record_key,
    l.key_text,
    l.properties,
    l.hubspot_id,
    ROW_NUMBER() OVER (ORDER BY l.record_key) AS rn
  FROM ledger l
  LEFT JOIN snapshot s ON s.run_id = %(run_id)s AND s.record_key = l.record_key
  LEFT JOIN rejected_record w
    ON w.sync_name = %(sync_name)s AND w.record_key = l.record_key AND w.stage = 'validate' AND w.run_id = %(run_id)s
  LEFT JOIN rejected_record q
    ON q.sync_name = %(sync_name)s AND q.record_key = l.record_key AND q.stage = 'deliver'
    AND q.row_hash IS NULL AND q.released_at IS NULL AND q.resolved_at IS NULL
  WHERE l.sync_name = %(sync_name)s AND l.state = 'active' AND s.record_key IS NULL AND w.id IS NULL AND q.id IS NULL
) d
