-- The check immediately before each send: the lease has not ended, the fence is ours, the run still holds the lock.
-- A lease that holds is extended, so that the request ends long before it does.
-- params: run_id, batch_no, fence, lease_s, portal_id, sync_name, epoch
-- result: one row, or none: do not send
UPDATE batch b
SET b.lease_until = NOW(6) + INTERVAL %(lease_s)s SECOND, b.updated_at = NOW(6)
WHERE
  b.run_id = %(run_id)s AND b.batch_no = %(batch_no)s AND b.fence = %(fence)s AND b.state = 'leased'
  AND b.lease_until > NOW(6)
  AND EXISTS (
    SELECT 1 FROM run_lock l
    WHERE l.portal_id = %(portal_id)s AND l.sync_name = %(sync_name)s AND l.holder = %(run_id)s AND l.epoch = %(epoch)s
  )
