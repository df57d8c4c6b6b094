-- Where the time of all runs went. Rows of `run_phase` only grow and are never removed.
-- result: sync_name, phase, seconds
SELECT r.sync_name, p.phase, SUM(p.seconds) AS seconds
FROM run_phase p
INNER JOIN sync_run r ON r.run_id = p.run_id
GROUP BY r.sync_name, p.phase
