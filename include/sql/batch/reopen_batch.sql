-- A read-back differed: the batch is sent once more, if a row of it is open.
-- params: run_id, batch_no
UPDATE batch b
SET b.state = 'ready', b.updated_at = NOW(6)
WHERE
  b.run_id = %(run_id)s AND b.batch_no = %(batch_no)s AND b.state = 'done'
  AND EXISTS (
    SELECT 1 FROM outbox o
    WHERE o.run_id = b.run_id AND o.seq BETWEEN b.first_seq AND b.last_seq AND o.state = 'pending'
  )
