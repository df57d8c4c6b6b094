-- Whose lines are left out.
-- params: sync_name
-- result: record_key
-- index: suppressed_key PK (sync_name, record_key)
SELECT record_key
FROM suppressed_key
WHERE sync_name = %(sync_name)s
