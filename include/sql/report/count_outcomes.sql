-- What became of the changes of a run; a record that was planned twice counts by its last row.
-- A self-join instead of the window takes minutes on a fresh outbox, whose index statistics are still empty.
-- params: run_id
-- result: operation, state, row_count
SELECT
  o.operation,
  o.state,
  COUNT(*) AS row_count
FROM (
  SELECT
    operation,
    state,
    ROW_NUMBER() OVER (PARTITION BY record_key ORDER BY seq DESC) AS age
  FROM outbox
  WHERE run_id = %(run_id)s AND state <> 'superseded'
) o
WHERE o.age = 1
GROUP BY o.operation, o.state
