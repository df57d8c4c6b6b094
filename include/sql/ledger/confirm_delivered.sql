-- HubSpot's answer named these rows: the ledger holds their values now. Never under an older run.
-- params: run_id, sync_name, first_seq, last_seq, epoch, source_version, hash_version, is_waived
UPDATE ledger l
INNER JOIN outbox o ON o.record_key = l.record_key
SET
  l.state = IF(o.operation = 'archive', 'archived', 'active'), l.uncertain_from = NULL,
  l.row_hash = o.row_hash, l.properties = o.properties, l.hash_version = %(hash_version)s,
  l.hubspot_id = COALESCE(o.hubspot_id, l.hubspot_id), l.run_id = %(run_id)s, l.run_epoch = %(epoch)s,
  l.source_version = %(source_version)s, l.confirmed_at = NOW(6), l.verified_at = NULL, l.is_waived = %(is_waived)s
WHERE
  o.run_id = %(run_id)s AND o.seq BETWEEN %(first_seq)s AND %(last_seq)s AND o.state = 'delivered'
  AND l.sync_name = %(sync_name)s AND l.run_epoch <= %(epoch)s
  AND l.state = 'uncertain'
