-- Requests to HubSpot without a good answer, over all runs. Rows of `api_error` only grow and are never removed.
-- result: sync_name, status (0: no answer came), requests
SELECT r.sync_name, e.status, SUM(e.requests) AS requests
FROM api_error e
INNER JOIN sync_run r ON r.run_id = e.run_id
GROUP BY r.sync_name, e.status
