-- Count a request without a good answer.
-- params: run_id, status
INSERT INTO api_error (run_id, status, requests)
VALUES (%(run_id)s, %(status)s, 1)
ON DUPLICATE KEY UPDATE requests = requests + 1
