-- Whether the run holds the lock; nobody can release or take it before the end of the transaction.
-- params: portal_id, sync_name, run_id, epoch
-- result: one row, or none: it does not hold it
SELECT holder
FROM run_lock
WHERE portal_id = %(portal_id)s AND sync_name = %(sync_name)s AND holder = %(run_id)s AND epoch = %(epoch)s
LOCK IN SHARE MODE
