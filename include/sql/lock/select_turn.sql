-- When the lock was last taken or joined; the row is held until the end of the transaction.
-- params: portal_id, sync_name, run_id, epoch
-- result: updated_at; no row: the run does not hold the lock
SELECT updated_at
FROM run_lock
WHERE portal_id = %(portal_id)s AND sync_name = %(sync_name)s AND holder = %(run_id)s AND epoch = %(epoch)s
FOR UPDATE
