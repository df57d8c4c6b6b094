-- Count a request by the time of its answer. The shard is in the key so that shards never wait for each other here.
-- params: run_id, shard, is_good, bound_ms, latency_ms
INSERT INTO api_answer (run_id, shard, is_good, bound_ms, requests, total_ms)
VALUES (%(run_id)s, %(shard)s, %(is_good)s, %(bound_ms)s, 1, %(latency_ms)s)
ON DUPLICATE KEY UPDATE requests = requests + 1, total_ms = total_ms + VALUES(total_ms)
