-- A read-back found nothing for these keys: HubSpot holds no active contact.
-- params: sync_name, record_keys, run_id, epoch
UPDATE ledger
SET
  state = 'archived', uncertain_from = NULL, row_hash = NULL, properties = NULL, run_id = %(run_id)s, run_epoch = %(epoch)s,
  confirmed_at = NOW(6), verified_at = NOW(6), is_waived = 0
WHERE sync_name = %(sync_name)s AND record_key IN %(record_keys)s
