-- The work beside the runs: how often it ended, and when last.
-- result: sync_name, chore, successes, failures, last_success_s, last_failure_s (seconds since 1970, NULL: never)
SELECT
  sync_name, chore, successes, failures,
  UNIX_TIMESTAMP(last_success_at) AS last_success_s, UNIX_TIMESTAMP(last_failure_at) AS last_failure_s
FROM chore
