-- What became of the changes of a run; a record that was planned twice counts by its last row.
-- params: run_id
-- result: operation, state, row_count
SELECT o.operation, o.state, COUNT(*) AS row_count
FROM outbox o
LEFT JOIN outbox later
  ON later.run_id = o.run_id AND later.record_key = o.record_key AND later.seq > o.seq AND later.state <> 'superseded'
WHERE o.run_id = %(run_id)s AND o.state <> 'superseded' AND later.seq IS NULL
GROUP BY o.operation, o.state
