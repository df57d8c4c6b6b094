-- Give the lock back; nobody may take it before everything that was sent has drained.
-- params: portal_id, sync_name, run_id, epoch, drain_s
UPDATE run_lock
SET
  holder = NULL, lease_until = NULL, updated_at = NOW(6),
  not_before = (
    SELECT MAX(b.lease_until) + INTERVAL %(drain_s)s SECOND
    FROM batch b
    WHERE b.run_id = %(run_id)s AND b.lease_until IS NOT NULL
  )
WHERE portal_id = %(portal_id)s AND sync_name = %(sync_name)s AND holder = %(run_id)s AND epoch = %(epoch)s
