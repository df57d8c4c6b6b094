-- How long good runs took, in whole seconds rounded up: exact for every bucket that ends at a whole second. Only the first
-- end of a run: a later one would count the time until somebody cleared it.
-- result: sync_name, mode, duration_s, runs, total_s
SELECT
  t.sync_name, t.mode, CEIL(t.seconds) AS duration_s, COUNT(*) AS runs, SUM(t.seconds) AS total_s
FROM (
  SELECT sync_name, mode, TIMESTAMPDIFF(MICROSECOND, started_at, ended_at) / 1000000 AS seconds
  FROM run_end
  WHERE end_no = 1 AND state = 'done'
) t
GROUP BY t.sync_name, t.mode, duration_s
