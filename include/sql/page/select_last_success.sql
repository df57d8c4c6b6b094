-- The last fully delivered run of a sync; an unchanged file keeps its count of records in the summary only.
-- params: sync_name
SELECT run_id, summary, finished_at, NOW(6) AS read_at
FROM sync_run
WHERE sync_name = %(sync_name)s AND is_accepted = 1
ORDER BY run_id DESC
LIMIT 1
