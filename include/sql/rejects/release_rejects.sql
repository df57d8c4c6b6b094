-- Try every refused record again, although nothing changed.
-- params: sync_name
UPDATE rejected_record
SET released_at = NOW(6)
WHERE sync_name = %(sync_name)s AND stage = 'deliver' AND released_at IS NULL AND resolved_at IS NULL
