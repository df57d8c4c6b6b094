-- What a plan would do, by operation.
-- params: run_id, planned, is_shown_only
UPDATE sync_run
SET planned = %(planned)s, state = IF(%(is_shown_only)s = 1, 'planned', state)
WHERE run_id = %(run_id)s
