-- The check immediately before each send: the fence is ours. From now on the request has `lease_s` to leave.
-- A lease that ended is extended all the same: with our fence nobody has claimed the batch since.
-- params: run_id, batch_no, fence, lease_s
-- result: one row, or none: do not send
UPDATE batch
SET lease_until = NOW(6) + INTERVAL %(lease_s)s SECOND, updated_at = NOW(6)
WHERE run_id = %(run_id)s AND batch_no = %(batch_no)s AND fence = %(fence)s AND state = 'leased'
