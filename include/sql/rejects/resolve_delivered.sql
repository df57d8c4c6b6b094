-- What was refused before and is delivered now.
-- params: run_id, sync_name, first_seq, last_seq
UPDATE rejected_record q
INNER JOIN outbox o ON o.record_key = q.record_key
SET q.resolved_at = NOW(6)
WHERE
  o.run_id = %(run_id)s AND o.seq BETWEEN %(first_seq)s AND %(last_seq)s AND o.state IN ('delivered', 'verified')
  AND q.sync_name = %(sync_name)s AND q.stage = 'deliver' AND q.resolved_at IS NULL
