-- A contact that the portal holds under a key the ledger does not know as active: in doubt until it is read.
-- params: sync_name, record_key, key_text, run_id, epoch
INSERT INTO ledger (sync_name, record_key, key_text, state, run_id, run_epoch)
VALUES (%(sync_name)s, %(record_key)s, %(key_text)s, 'uncertain', %(run_id)s, %(epoch)s)
ON DUPLICATE KEY UPDATE
  uncertain_from = IF(ledger.state = 'archived', 'archived', ledger.uncertain_from),
  state = IF(ledger.state = 'archived', 'uncertain', ledger.state)
