-- Requests of a run, those of tries that ended before it had a row included.
-- params: run_id
-- result: calls, write_calls, http_429
SELECT
  COALESCE(SUM(t.calls), 0) AS calls,
  COALESCE(SUM(t.write_calls), 0) AS write_calls,
  COALESCE(SUM(t.http_429), 0) AS http_429
FROM (
  SELECT calls, write_calls, http_429 FROM api_usage WHERE run_id = %(run_id)s
  UNION ALL
  SELECT q.requests, 0, IF(q.status = 429, q.requests, 0)
  FROM sync_run r
  INNER JOIN early_request q ON q.dag_run_key = r.dag_run_key
  WHERE r.run_id = %(run_id)s
) t
