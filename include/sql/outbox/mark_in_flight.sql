-- The open rows of a claimed batch may leave from now on.
-- params: run_id, first_seq, last_seq
UPDATE outbox
SET state = 'in_flight', attempts = attempts + 1, updated_at = NOW(6)
WHERE run_id = %(run_id)s AND seq BETWEEN %(first_seq)s AND %(last_seq)s AND state IN ('pending', 'in_flight')
