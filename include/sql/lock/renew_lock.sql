-- Renew the lock that a run holds; no planner's turn ends with that, so `updated_at` stays.
-- params: portal_id, sync_name, run_id, epoch, lease_s
-- result: one row, or none: the run does not hold it any more
UPDATE run_lock
SET lease_until = NOW(6) + INTERVAL %(lease_s)s SECOND
WHERE portal_id = %(portal_id)s AND sync_name = %(sync_name)s AND holder = %(run_id)s AND epoch = %(epoch)s
