-- Count requests of a run.
-- params: run_id, shard, calls, write_calls, http_429, wait_ms, answer_ms
INSERT INTO api_usage (run_id, shard, calls, write_calls, http_429, wait_ms, answer_ms)
VALUES (%(run_id)s, %(shard)s, %(calls)s, %(write_calls)s, %(http_429)s, %(wait_ms)s, %(answer_ms)s)
ON DUPLICATE KEY UPDATE
  calls = calls + VALUES(calls), write_calls = write_calls + VALUES(write_calls),
  http_429 = http_429 + VALUES(http_429), wait_ms = wait_ms + VALUES(wait_ms), answer_ms = answer_ms + VALUES(answer_ms)
