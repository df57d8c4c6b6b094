-- How long HubSpot took to answer the batches of runs: median and 95th percentile by interval of `size_s` seconds.
-- params: run_ids, since, size_s
-- result: bucket (0 is the first interval), batches, p50_ms, p95_ms
-- index: batch PK (run_id)
SELECT
  d.bucket, MAX(d.batches) AS batches,
  MIN(CASE WHEN d.place * 2 >= d.batches THEN d.latency_ms END) AS p50_ms,
  MIN(CASE WHEN d.place * 20 >= d.batches * 19 THEN d.latency_ms END) AS p95_ms
FROM (
  SELECT
    t.bucket, t.latency_ms,
    ROW_NUMBER() OVER (PARTITION BY t.bucket ORDER BY t.latency_ms) AS place,
    COUNT(*) OVER (PARTITION BY t.bucket) AS batches
  FROM (
    SELECT latency_ms, FLOOR(TIMESTAMPDIFF(SECOND, %(since)s, delivered_at) / %(size_s)s) AS bucket
    FROM batch
    WHERE run_id IN %(run_ids)s AND latency_ms IS NOT NULL AND delivered_at >= %(since)s
  ) t
) d
GROUP BY d.bucket
ORDER BY d.bucket
