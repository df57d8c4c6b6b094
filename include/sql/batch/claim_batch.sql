-- Take a batch: fence + 1 and a lease in database time, only strictly after everything an earlier claim may have sent has
-- drained.
-- params: run_id, batch_no, owner, lease_s, drain_s
-- result: LAST_INSERT_ID() is the new fence; no row: somebody else has it
UPDATE batch
SET
  state = 'leased', fence = LAST_INSERT_ID(fence + 1), attempts = attempts + 1, lease_owner = %(owner)s,
  lease_until = NOW(6) + INTERVAL %(lease_s)s SECOND, updated_at = NOW(6)
WHERE
  run_id = %(run_id)s AND batch_no = %(batch_no)s
  AND state IN ('ready', 'leased')
  AND (lease_until IS NULL OR lease_until + INTERVAL %(drain_s)s SECOND < NOW(6))
