-- Count the end of a try of a chore.
-- params: sync_name, chore, is_good
INSERT INTO chore (sync_name, chore, successes, failures, last_success_at, last_failure_at)
VALUES (
  %(sync_name)s, %(chore)s, %(is_good)s, 1 - %(is_good)s, IF(%(is_good)s = 1, NOW(6), NULL), IF(%(is_good)s = 1, NULL, NOW(6))
)
ON DUPLICATE KEY UPDATE
  successes = successes + VALUES(successes), failures = failures + VALUES(failures),
  last_success_at = COALESCE(VALUES(last_success_at), last_success_at),
  last_failure_at = COALESCE(VALUES(last_failure_at), last_failure_at)
