-- Certain that these rows never left or were refused: the ledger is what it was before the claim.
-- params: run_id, sync_name, seqs
UPDATE ledger l
INNER JOIN outbox o ON o.record_key = l.record_key
SET l.state = l.uncertain_from, l.uncertain_from = NULL
WHERE
  o.run_id = %(run_id)s AND o.seq IN %(seqs)s
  AND l.sync_name = %(sync_name)s AND l.state = 'uncertain' AND l.run_id = %(run_id)s AND l.uncertain_from IS NOT NULL
