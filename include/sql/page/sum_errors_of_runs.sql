-- What went wrong in runs: requests without a good answer by HTTP status, records rejected by reason.
-- params: sync_name, run_ids
-- index: api_error PK (run_id, status), rejected_record_reason (sync_name)
SELECT e.run_id, e.status, NULL AS reason, e.requests AS errors
FROM api_error e
WHERE e.run_id IN %(run_ids)s
UNION ALL
SELECT q.run_id, NULL AS status, q.reason, COUNT(*) AS errors
FROM rejected_record q
WHERE q.sync_name = %(sync_name)s AND q.run_id IN %(run_ids)s
GROUP BY q.run_id, q.reason
LIMIT 10000
