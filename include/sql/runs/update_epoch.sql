-- Give a run its place in the order of runs.
-- params: run_id, epoch
UPDATE sync_run SET epoch = %(epoch)s WHERE run_id = %(run_id)s
