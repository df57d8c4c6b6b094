-- Delivered batches of a shard with rows that nobody has read back.
-- params: run_id, shard
-- result: batch_no, kind, first_seq, last_seq, row_count
SELECT b.batch_no, b.kind, b.first_seq, b.last_seq, b.row_count
FROM batch b
WHERE
  b.run_id = %(run_id)s AND b.shard = %(shard)s AND b.state = 'done'
  AND EXISTS (
    SELECT 1 FROM outbox o
    WHERE o.run_id = b.run_id AND o.seq BETWEEN b.first_seq AND b.last_seq AND o.state = 'delivered'
  )
ORDER BY b.batch_no
