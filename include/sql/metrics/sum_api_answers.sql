-- How long HubSpot took to answer, over all runs. Rows of `api_answer` and `early_request` only grow and are never removed.
-- result: sync_name, is_good, bound_ms (0: longer than every class), requests, total_ms
SELECT t.sync_name, t.is_good, t.bound_ms, SUM(t.requests) AS requests, SUM(t.total_ms) AS total_ms
FROM (
  SELECT r.sync_name, a.is_good, a.bound_ms, a.requests, a.total_ms
  FROM api_answer a
  INNER JOIN sync_run r ON r.run_id = a.run_id
  UNION ALL
  SELECT sync_name, status BETWEEN 200 AND 299, bound_ms, requests, total_ms FROM early_request
) t
GROUP BY t.sync_name, t.is_good, t.bound_ms
