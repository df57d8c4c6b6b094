-- When the changes of runs left the queue, minute by minute: answered by HubSpot, or taken over by a later plan. Of what is
-- still open `left_at` is NULL.
-- params: run_ids
-- index: batch PK (run_id)
SELECT
  b.run_id, b.is_answered, MAX(b.left_at) AS left_at, SUM(b.row_count) AS row_count
FROM (
  SELECT
    run_id, row_count, state = 'done' AS is_answered,
    CASE
      WHEN state = 'done' THEN COALESCE(delivered_at, updated_at)
      WHEN state = 'superseded' THEN updated_at
    END AS left_at
  FROM batch
  WHERE run_id IN %(run_ids)s
) b
GROUP BY b.run_id, b.is_answered, FLOOR(UNIX_TIMESTAMP(b.left_at) / 60)
ORDER BY b.run_id, left_at
