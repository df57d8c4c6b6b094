-- A run whose snapshot holds the person has one record less from now on, so that its counts still add up.
-- params: sync_name, record_key
-- index: snapshot PK (run_id, record_key)
UPDATE sync_run r
INNER JOIN snapshot s ON s.run_id = r.run_id AND s.record_key = %(record_key)s
SET r.records = r.records - 1
WHERE r.sync_name = %(sync_name)s AND r.records > 0
