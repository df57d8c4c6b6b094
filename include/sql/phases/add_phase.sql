-- Add what a task spent on a phase; nothing happens when the run was never opened.
-- params: dag_run_key, phase, shard, seconds, elapsed_us (age of the task)
INSERT INTO run_phase (run_id, phase, shard, seconds, began_at, ended_at)
SELECT run_id, %(phase)s, %(shard)s, %(seconds)s, NOW(6) - INTERVAL %(elapsed_us)s MICROSECOND, NOW(6)
FROM sync_run
WHERE dag_run_key = %(dag_run_key)s
ON DUPLICATE KEY UPDATE
  seconds = run_phase.seconds + VALUES(seconds), began_at = VALUES(began_at), ended_at = VALUES(ended_at)
