-- A read-back showed these rows as they should be.
-- params: run_id, sync_name, seqs
UPDATE ledger l
INNER JOIN outbox o ON o.record_key = l.record_key
SET l.verified_at = NOW(6)
WHERE
  o.run_id = %(run_id)s AND o.seq IN %(seqs)s AND o.state = 'verified'
  AND l.sync_name = %(sync_name)s AND l.run_id = %(run_id)s AND l.state <> 'uncertain'
