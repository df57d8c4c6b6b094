-- One batch, to decide after a lost answer to COMMIT.
-- params: run_id, batch_no
SELECT state, fence
FROM batch
WHERE run_id = %(run_id)s AND batch_no = %(batch_no)s
