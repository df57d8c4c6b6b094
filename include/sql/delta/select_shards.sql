-- The shards that still have something to send or to read back.
-- params: run_id
-- result: shard, batch_count, row_count
SELECT b.shard, COUNT(*) AS batch_count, SUM(b.row_count) AS row_count
FROM batch b
WHERE
  b.run_id = %(run_id)s
  AND (
    b.state IN ('ready', 'leased')
    OR (
      b.state = 'done' AND EXISTS (
        SELECT 1 FROM outbox o
        WHERE o.run_id = b.run_id AND o.seq BETWEEN b.first_seq AND b.last_seq AND o.state = 'delivered'
          AND %(read_back)s = 'full'
      )
    )
  )
GROUP BY b.shard
ORDER BY b.shard
