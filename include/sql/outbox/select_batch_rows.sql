-- The rows of a batch with their states.
-- params: run_id, first_seq, last_seq
SELECT seq, operation, key_text, properties, hubspot_id, state, attempts
FROM outbox
WHERE run_id = %(run_id)s AND seq BETWEEN %(first_seq)s AND %(last_seq)s
ORDER BY seq
