-- The open batches of an earlier plan of the run; their leases stay, so that what was sent still drains.
-- params: run_id
UPDATE batch
SET state = 'superseded', fence = fence + 1, updated_at = NOW(6)
WHERE run_id = %(run_id)s AND state IN ('ready', 'leased')
