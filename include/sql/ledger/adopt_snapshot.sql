-- The ledger was lost: every key of the snapshot may be in HubSpot already, so all are in doubt.
-- params: sync_name, run_id, epoch
INSERT INTO ledger (sync_name, record_key, key_text, state, run_id, run_epoch)
SELECT %(sync_name)s, s.record_key, s.key_text, 'uncertain', %(run_id)s, %(epoch)s
FROM snapshot s
WHERE s.run_id = %(run_id)s
ON DUPLICATE KEY UPDATE run_epoch = GREATEST(ledger.run_epoch, VALUES(run_epoch))
