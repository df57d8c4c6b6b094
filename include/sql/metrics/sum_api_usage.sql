-- Requests to HubSpot over all runs. Rows of `api_usage` only grow and are never removed.
-- result: sync_name, calls, write_calls, http_429, wait_ms
SELECT
  r.sync_name, SUM(u.calls) AS calls, SUM(u.write_calls) AS write_calls, SUM(u.http_429) AS http_429,
  SUM(u.wait_ms) AS wait_ms
FROM api_usage u
INNER JOIN sync_run r ON r.run_id = u.run_id
GROUP BY r.sync_name
