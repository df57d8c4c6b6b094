-- A plan that is only shown leaves nothing to deliver.
-- params: run_id
UPDATE outbox
SET state = 'superseded', updated_at = NOW(6)
WHERE run_id = %(run_id)s AND state = 'pending'
