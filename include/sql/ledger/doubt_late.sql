-- A claim that was lost has sent all the same: whatever is known about its keys is in doubt, under any run.
-- params: run_id, sync_name, seqs
UPDATE ledger l
INNER JOIN outbox o ON o.record_key = l.record_key
SET l.uncertain_from = IF(l.state = 'uncertain', l.uncertain_from, l.state), l.state = 'uncertain', l.verified_at = NULL
WHERE o.run_id = %(run_id)s AND o.seq IN %(seqs)s AND l.sync_name = %(sync_name)s
