-- How often runs ended, and when last. Rows of `run_end` are never removed, so the counts never fall.
-- result: sync_name, mode, state, ends, last_ended_s (seconds since 1970)
SELECT sync_name, mode, state, COUNT(*) AS ends, UNIX_TIMESTAMP(MAX(ended_at)) AS last_ended_s
FROM run_end
GROUP BY sync_name, mode, state
