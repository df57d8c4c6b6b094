-- Requests to HubSpot over all runs. Rows of `api_usage` and `early_request` only grow and are never removed.
-- result: sync_name, calls, write_calls, http_429, wait_ms
SELECT
  t.sync_name, SUM(t.calls) AS calls, SUM(t.write_calls) AS write_calls, SUM(t.http_429) AS http_429,
  SUM(t.wait_ms) AS wait_ms
FROM (
  SELECT r.sync_name, u.calls, u.write_calls, u.http_429, u.wait_ms
  FROM api_usage u
  INNER JOIN sync_run r ON r.run_id = u.run_id
  UNION ALL
  SELECT sync_name, requests, 0, IF(status = 429, requests, 0), 0 FROM early_request
) t
GROUP BY t.sync_name
