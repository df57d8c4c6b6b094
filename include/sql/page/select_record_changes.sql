-- What became of one record in the runs whose changes are kept: newest first.
-- params: sync_name, record_key
-- index: sync_run_sync (sync_name, run_id), outbox_record (run_id, record_key), batch PK (run_id, batch_no)
SELECT
  r.run_id, r.source_version, o.seq, o.operation, o.state, o.reason, o.hubspot_id, o.properties, o.previous_properties,
  o.batch_no, b.shard, b.http_status, b.correlation_id, b.delivered_at
FROM (
  SELECT run_id, source_version
  FROM sync_run
  WHERE sync_name = %(sync_name)s
  ORDER BY run_id DESC
  LIMIT 200
) r
INNER JOIN outbox o ON o.run_id = r.run_id AND o.record_key = %(record_key)s
LEFT JOIN batch b ON b.run_id = o.run_id AND b.batch_no = o.batch_no
ORDER BY r.run_id DESC, o.seq DESC
LIMIT 50
