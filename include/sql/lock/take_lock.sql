-- Hand the lock to a run, or renew it.
-- params: portal_id, sync_name, run_id, epoch, lease_s
UPDATE run_lock
SET
  holder = %(run_id)s, epoch = %(epoch)s, last_epoch = GREATEST(last_epoch, %(epoch)s),
  lease_until = NOW(6) + INTERVAL %(lease_s)s SECOND, updated_at = NOW(6)
WHERE portal_id = %(portal_id)s AND sync_name = %(sync_name)s
