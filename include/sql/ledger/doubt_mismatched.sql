-- A read-back showed something else: in doubt, the next run reads and repairs it.
-- params: run_id, sync_name, seqs, epoch
UPDATE ledger l
INNER JOIN outbox o ON o.record_key = l.record_key
SET l.uncertain_from = IF(l.state = 'uncertain', l.uncertain_from, l.state), l.state = 'uncertain', l.verified_at = NULL
WHERE
  o.run_id = %(run_id)s AND o.seq IN %(seqs)s AND o.state IN ('pending', 'mismatched')
  AND l.sync_name = %(sync_name)s AND l.run_epoch <= %(epoch)s
