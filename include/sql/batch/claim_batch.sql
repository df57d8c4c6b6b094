-- Take a batch: fence + 1 and a lease in database time, only for the run that holds the lock, and only strictly after
-- everything an earlier claim may have sent has drained.
-- params: run_id, batch_no, owner, lease_s, drain_s, portal_id, sync_name, epoch
-- result: LAST_INSERT_ID() is the new fence; no row: somebody else has it
UPDATE batch b
SET
  b.state = 'leased', b.fence = LAST_INSERT_ID(b.fence + 1), b.attempts = b.attempts + 1, b.lease_owner = %(owner)s,
  b.lease_until = NOW(6) + INTERVAL %(lease_s)s SECOND, b.updated_at = NOW(6)
WHERE
  b.run_id = %(run_id)s AND b.batch_no = %(batch_no)s
  AND b.state IN ('ready', 'leased')
  AND (b.lease_until IS NULL OR b.lease_until + INTERVAL %(drain_s)s SECOND < NOW(6))
  AND EXISTS (
    SELECT 1 FROM run_lock l
    WHERE l.portal_id = %(portal_id)s AND l.sync_name = %(sync_name)s AND l.holder = %(run_id)s AND l.epoch = %(epoch)s
  )
