-- How far each shard of a run is, from the state of its batches.
-- params: run_id
-- result: shard, state, batch_count, row_count
SELECT shard, state, COUNT(*) AS batch_count, SUM(row_count) AS row_count
FROM batch
WHERE run_id = %(run_id)s
GROUP BY shard, state
ORDER BY shard, state
