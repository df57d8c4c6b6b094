-- A run is planned anew: what its earlier plan left open or unread is decided by the new one, which reads those keys first.
-- params: run_id
UPDATE outbox
SET state = 'superseded', updated_at = NOW(6)
WHERE run_id = %(run_id)s AND state IN ('pending', 'in_flight', 'delivered')
