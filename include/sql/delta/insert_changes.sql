-- Queue every record whose hash differs from the one HubSpot last confirmed. A record that HubSpot refused stays out
-- until its hash changes or somebody releases it.
-- params: run_id, sync_name, hash_version, first_seq, first_batch_no, batch_size, is_resync, record_limit, bounds of properties
-- slots: selection (conditions of a trial run on properties, or nothing)
-- result: rows in outbox, state pending
-- index: snapshot PK (run_id, record_key), ledger PK (sync_name, record_key)
INSERT INTO outbox (
  run_id, seq, batch_no, operation, record_key, key_text, row_hash, properties, previous_properties, hubspot_id, state, updated_at
)
SELECT
  %(run_id)s,
  %(first_seq)s + d.rn - 1,
  %(first_batch_no)s + (d.rn - 1) DIV %(batch_size)s,
  d.operation,
  d.record_key,
  d.key_text,
  d.row_hash,
  d.properties,
  d.previous_properties,
  d.hubspot_id,
  'pending',
  NOW(6)
FROM (
  SELECT
    IF(l.record_key IS NULL OR l.state = 'archived', 'create', 'update') AS operation,
    s.record_key,
    s.key_text,
    s.row_hash,
    s.properties,
    l.properties AS previous_properties,
    l.hubspot_id,
    ROW_NUMBER() OVER (ORDER BY s.record_key) AS rn
  FROM snapshot s
  LEFT JOIN ledger l ON l.sync_name = %(sync_name)s AND l.record_key = s.record_key
  LEFT JOIN rejected_record q
    ON q.sync_name = %(sync_name)s AND q.record_key = s.record_key AND q.stage = 'deliver'
    AND q.row_hash = s.row_hash AND q.released_at IS NULL AND q.resolved_at IS NULL
  WHERE
    s.run_id = %(run_id)s AND q.id IS NULL
    AND (
      l.record_key IS NULL OR l.state <> 'active' OR l.row_hash IS NULL OR l.row_hash <> s.row_hash
      OR l.hash_version <> %(hash_version)s OR %(is_resync)s = 1
    )
    {selection}
) d
WHERE d.rn <= %(record_limit)s
