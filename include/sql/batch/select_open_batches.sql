-- What a shard still has to send: ready batches first, then those in flight by the end of their drain.
-- params: run_id, shard, drain_s
-- result: batch_no, kind, first_seq, last_seq, row_count, wait_s (0 = may be claimed now)
SELECT
  batch_no,
  kind,
  first_seq,
  last_seq,
  row_count,
  IF(
    lease_until IS NULL, 0,
    GREATEST(0, TIMESTAMPDIFF(MICROSECOND, NOW(6), lease_until + INTERVAL %(drain_s)s SECOND) + 1000) / 1000000
  ) AS wait_s
FROM batch
WHERE run_id = %(run_id)s AND shard = %(shard)s AND state IN ('ready', 'leased')
ORDER BY wait_s, batch_no
