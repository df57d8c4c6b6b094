-- Whether a run of any portal has taken a version, or a newer one.
-- params: sync_name, version, last_updated
-- result: is_taken
-- index: sync_run_sync (sync_name, run_id)
SELECT COUNT(*) > 0 AS is_taken
FROM sync_run
WHERE
  sync_name = %(sync_name)s
  AND (source_version > %(version)s OR (source_version = %(version)s AND source_last_updated = %(last_updated)s))
