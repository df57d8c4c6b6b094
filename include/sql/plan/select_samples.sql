-- Some changes of a run with the properties before and after.
-- params: run_id, seqs
-- result: operation, key_text, properties, previous_properties
-- index: outbox PK (run_id, seq)
SELECT operation, key_text, properties, previous_properties
FROM outbox
WHERE run_id = %(run_id)s AND seq IN %(seqs)s
ORDER BY seq
