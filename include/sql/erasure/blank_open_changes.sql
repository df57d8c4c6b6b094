-- Nobody sends an open change of a person any more, and nothing of it can be read.
-- params: sync_name, record_key
UPDATE outbox o
INNER JOIN sync_run r ON r.run_id = o.run_id
SET
  o.state = 'superseded', o.key_text = '', o.row_hash = NULL, o.properties = NULL, o.previous_properties = NULL,
  o.hubspot_id = NULL, o.updated_at = NOW(6)
WHERE r.sync_name = %(sync_name)s AND o.record_key = %(record_key)s
