-- Remove a person from every snapshot.
-- params: sync_name, record_key
DELETE s FROM snapshot s
INNER JOIN sync_run r ON r.run_id = s.run_id
WHERE r.sync_name = %(sync_name)s AND s.record_key = %(record_key)s
