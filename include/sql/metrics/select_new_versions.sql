-- For how long a version newer than the delivered one has been known: since the first run that found it began. A version that
-- an approval passed over counts no more, because only runs after the last good one are looked at.
-- result: sync_name, first_run_s (start of the first run, seconds since 1970), waiting_s (0: nothing newer is known)
WITH accepted AS (
  SELECT sync_name, MAX(run_id) AS run_id
  FROM sync_run
  WHERE is_accepted = 1
  GROUP BY sync_name
)

SELECT
  r.sync_name,
  UNIX_TIMESTAMP(MIN(r.started_at)) AS first_run_s,
  COALESCE(TIMESTAMPDIFF(MICROSECOND, MIN(IF(
    r.source_version > COALESCE(d.source_version, -1) AND r.run_id > COALESCE(d.run_id, 0), r.started_at, NULL
  )), NOW(6)) / 1000000, 0) AS waiting_s
FROM sync_run r
LEFT JOIN accepted a ON a.sync_name = r.sync_name
LEFT JOIN sync_run d ON d.run_id = a.run_id
GROUP BY r.sync_name
