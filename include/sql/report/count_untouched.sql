-- The records of a snapshot that this run had no change for: equal in the ledger, refused before, or unexplained.
-- params: run_id, sync_name, hash_version
-- result: unchanged, carried_rejects, unexplained
-- index: outbox_record (run_id, record_key), forced because its statistics lag behind a fresh plan
SELECT
  COALESCE(SUM(q.id IS NULL AND l.state = 'active' AND l.row_hash = s.row_hash AND l.hash_version = %(hash_version)s), 0)
    AS unchanged,
  COALESCE(SUM(q.id IS NOT NULL), 0) AS carried_rejects,
  COALESCE(SUM(
    q.id IS NULL AND COALESCE(l.state <> 'active' OR l.row_hash <> s.row_hash OR l.hash_version <> %(hash_version)s, 1)
  ), 0) AS unexplained
FROM snapshot s
LEFT JOIN outbox o FORCE INDEX (outbox_record)
  ON o.run_id = s.run_id AND o.record_key = s.record_key AND o.state <> 'superseded'
LEFT JOIN ledger l ON l.sync_name = %(sync_name)s AND l.record_key = s.record_key
LEFT JOIN rejected_record q
  ON q.sync_name = %(sync_name)s AND q.record_key = s.record_key AND q.stage = 'deliver'
  AND q.row_hash = s.row_hash AND q.released_at IS NULL AND q.resolved_at IS NULL
WHERE s.run_id = %(run_id)s AND o.seq IS NULL
