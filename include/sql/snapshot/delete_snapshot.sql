-- Forget the snapshot of a run that is built anew, and those of runs before the last accepted one.
-- params: run_id, keep_run_id, sync_name
DELETE s FROM snapshot s
INNER JOIN sync_run r ON r.run_id = s.run_id
WHERE r.sync_name = %(sync_name)s AND (s.run_id = %(run_id)s OR s.run_id <> %(keep_run_id)s)
