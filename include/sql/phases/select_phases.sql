-- What a run spent on each phase, and from the first begin of its tasks to their last end.
-- params: run_id
-- result: phase, seconds, span_s
SELECT phase, SUM(seconds) AS seconds, TIMESTAMPDIFF(MICROSECOND, MIN(began_at), MAX(ended_at)) / 1000000 AS span_s
FROM run_phase
WHERE run_id = %(run_id)s
GROUP BY phase
