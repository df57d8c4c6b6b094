-- Give the lock back; nobody may take it before everything that was sent has drained.
-- params: portal_id, sync_name, run_id, epoch, wait_s
UPDATE run_lock
SET
  holder = NULL, lease_until = NULL, updated_at = NOW(6),
  not_before = IF(%(wait_s)s > 0, NOW(6) + INTERVAL %(wait_s)s SECOND, NULL)
WHERE portal_id = %(portal_id)s AND sync_name = %(sync_name)s AND holder = %(run_id)s AND epoch = %(epoch)s
