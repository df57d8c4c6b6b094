-- Certain that these creates never left or were refused: HubSpot holds nothing for them.
-- params: run_id, sync_name, seqs
DELETE l FROM ledger l
INNER JOIN outbox o ON o.record_key = l.record_key
WHERE
  o.run_id = %(run_id)s AND o.seq IN %(seqs)s
  AND l.sync_name = %(sync_name)s AND l.state = 'uncertain' AND l.run_id = %(run_id)s AND l.uncertain_from IS NULL
