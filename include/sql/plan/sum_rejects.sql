-- The records of a snapshot that a plan leaves out because HubSpot refused them, and a checksum over them.
-- params: run_id, sync_name
-- result: rejected, rejects_sum
-- index: rejected_record_reason (sync_name, released_at), snapshot PK (run_id, record_key)
SELECT
  COUNT(*) AS rejected,
  COALESCE(BIT_XOR(CAST(CONV(LEFT(SHA2(CONCAT(q.record_key, q.row_hash), 256), 16), 16, 10) AS UNSIGNED)), 0) AS rejects_sum
FROM rejected_record q
INNER JOIN snapshot s ON s.run_id = %(run_id)s AND s.record_key = q.record_key AND s.row_hash = q.row_hash
WHERE q.sync_name = %(sync_name)s AND q.stage = 'deliver' AND q.released_at IS NULL AND q.resolved_at IS NULL
