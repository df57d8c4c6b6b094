-- Requests to HubSpot without a good answer, over all runs. Rows of `api_error` and `early_request` only grow and are never removed.
-- result: sync_name, status (0: no answer came), requests
SELECT t.sync_name, t.status, SUM(t.requests) AS requests
FROM (
  SELECT r.sync_name, e.status, e.requests
  FROM api_error e
  INNER JOIN sync_run r ON r.run_id = e.run_id
  UNION ALL
  SELECT sync_name, status, requests FROM early_request WHERE status NOT BETWEEN 200 AND 299
) t
GROUP BY t.sync_name, t.status
