-- Before the request leaves: what HubSpot holds for these keys is in doubt until an answer or a read-back settles it.
-- params: run_id, sync_name, first_seq, last_seq, epoch, source_version
INSERT INTO ledger (
  sync_name, record_key, key_text, state, hubspot_id, run_id, run_epoch, source_version
)
SELECT
  %(sync_name)s, o.record_key, o.key_text, 'uncertain', o.hubspot_id, %(run_id)s, %(epoch)s, %(source_version)s
FROM outbox o
WHERE o.run_id = %(run_id)s AND o.seq BETWEEN %(first_seq)s AND %(last_seq)s AND o.state = 'in_flight'
ORDER BY o.record_key
ON DUPLICATE KEY UPDATE
  uncertain_from = IF(ledger.state = 'uncertain', ledger.uncertain_from, ledger.state),
  state = 'uncertain', run_id = VALUES(run_id), run_epoch = GREATEST(ledger.run_epoch, VALUES(run_epoch))
