-- Requests of a run.
-- params: run_id
-- result: calls, write_calls, http_429
SELECT
  COALESCE(SUM(calls), 0) AS calls,
  COALESCE(SUM(write_calls), 0) AS write_calls,
  COALESCE(SUM(http_429), 0) AS http_429
FROM api_usage
WHERE run_id = %(run_id)s
