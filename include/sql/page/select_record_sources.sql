-- The files in which one record stood, from the snapshots that are kept: newest run first.
-- params: sync_name, record_key
-- index: sync_run_sync (sync_name, run_id), snapshot PK (run_id, record_key)
SELECT r.run_id, r.source_version, r.source_file, s.key_text, s.first_line, s.line_count, s.properties
FROM (
  SELECT run_id, source_version, source_file
  FROM sync_run
  WHERE sync_name = %(sync_name)s
  ORDER BY run_id DESC
  LIMIT 200
) r
INNER JOIN snapshot s ON s.run_id = r.run_id AND s.record_key = %(record_key)s
ORDER BY r.run_id DESC
LIMIT 10
