-- A refused record needs no delivery any more when it left the source, or when the refused value did: another value is
-- tried, or HubSpot holds it already.
-- params: run_id, sync_name
UPDATE rejected_record q
LEFT JOIN snapshot s ON s.run_id = %(run_id)s AND s.record_key = q.record_key
SET q.resolved_at = NOW(6)
WHERE
  q.sync_name = %(sync_name)s AND q.stage = 'deliver' AND q.row_hash IS NOT NULL
  AND q.resolved_at IS NULL AND (s.record_key IS NULL OR s.row_hash <> q.row_hash)
