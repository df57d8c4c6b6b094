-- Cut the pending changes of a plan into batches, dealt to the shards in turn.
-- params: run_id, first_batch_no, shard_count
INSERT INTO batch (run_id, batch_no, kind, shard, first_seq, last_seq, row_count, state, updated_at)
SELECT
  run_id,
  batch_no,
  IF(MAX(operation = 'archive') = 1, 'archive', 'upsert'),
  MOD(batch_no - %(first_batch_no)s, %(shard_count)s),
  MIN(seq),
  MAX(seq),
  COUNT(*),
  'ready',
  NOW(6)
FROM outbox
WHERE run_id = %(run_id)s AND batch_no >= %(first_batch_no)s
GROUP BY run_id, batch_no
