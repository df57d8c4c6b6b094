-- What a read-back found for a key.
-- params: sync_name, record_key, key_text, row_hash, hash_version, properties, hubspot_id, run_id, epoch
INSERT INTO ledger (
  sync_name, record_key, key_text, state, row_hash, hash_version, properties, hubspot_id, run_id, run_epoch,
  confirmed_at, verified_at, is_waived
)
VALUES (
  %(sync_name)s, %(record_key)s, %(key_text)s, 'active', %(row_hash)s, %(hash_version)s, %(properties)s, %(hubspot_id)s,
  %(run_id)s, %(epoch)s, NOW(6), NOW(6), 0
)
ON DUPLICATE KEY UPDATE
  state = 'active', uncertain_from = NULL, row_hash = VALUES(row_hash), hash_version = VALUES(hash_version),
  properties = VALUES(properties), hubspot_id = VALUES(hubspot_id), run_id = VALUES(run_id), run_epoch = VALUES(run_epoch),
  confirmed_at = NOW(6), verified_at = NOW(6), is_waived = 0
