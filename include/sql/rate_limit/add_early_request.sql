-- Count a request of a DAG run that has no run row yet.
-- params: dag_run_key, sync_name, status, bound_ms, latency_ms
INSERT INTO early_request (dag_run_key, sync_name, status, bound_ms, requests, total_ms)
VALUES (%(dag_run_key)s, %(sync_name)s, %(status)s, %(bound_ms)s, 1, %(latency_ms)s)
ON DUPLICATE KEY UPDATE requests = requests + 1, total_ms = total_ms + VALUES(total_ms)
