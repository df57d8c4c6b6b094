-- How long HubSpot took to answer, over all runs. Rows of `api_answer` only grow and are never removed.
-- result: sync_name, is_good, bound_ms (0: longer than every class), requests, total_ms
SELECT r.sync_name, a.is_good, a.bound_ms, SUM(a.requests) AS requests, SUM(a.total_ms) AS total_ms
FROM api_answer a
INNER JOIN sync_run r ON r.run_id = a.run_id
GROUP BY r.sync_name, a.is_good, a.bound_ms
