-- A read-back differed: the batch is sent once more.
-- params: run_id, batch_no
UPDATE batch
SET state = 'ready', updated_at = NOW(6)
WHERE run_id = %(run_id)s AND batch_no = %(batch_no)s AND state = 'done'
