-- For how long a version newer than the delivered one has been known: since the probe saw it, or since the first run that found it
-- began. A version that an approval passed over counts no more, because only what came after the last good run is looked at.
-- result: sync_name, first_run_s (start of the first run, seconds since 1970), waiting_s (0: nothing newer is known)
WITH accepted AS (
  SELECT sync_name, MAX(run_id) AS run_id
  FROM sync_run
  WHERE is_accepted = 1
  GROUP BY sync_name
),

delivered AS (
  SELECT d.sync_name, d.run_id, d.source_version, d.started_at
  FROM accepted a
  INNER JOIN sync_run d ON d.run_id = a.run_id
),

known AS (
  SELECT r.sync_name, r.started_at AS known_at
  FROM sync_run r
  LEFT JOIN delivered d ON d.sync_name = r.sync_name
  WHERE r.source_version > COALESCE(d.source_version, -1) AND r.run_id > COALESCE(d.run_id, 0)
  UNION ALL
  SELECT v.sync_name, v.seen_at
  FROM dataset_version v
  LEFT JOIN delivered d ON d.sync_name = v.sync_name
  WHERE v.version > COALESCE(d.source_version, -1) AND (d.run_id IS NULL OR v.seen_at > d.started_at)
),

waiting AS (
  SELECT sync_name, MIN(known_at) AS known_at
  FROM known
  GROUP BY sync_name
)

SELECT
  r.sync_name,
  UNIX_TIMESTAMP(MIN(r.started_at)) AS first_run_s,
  COALESCE(TIMESTAMPDIFF(MICROSECOND, MIN(w.known_at), NOW(6)) / 1000000, 0) AS waiting_s
FROM sync_run r
LEFT JOIN waiting w ON w.sync_name = r.sync_name
GROUP BY r.sync_name
