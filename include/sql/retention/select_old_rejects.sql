-- Some rejected records that were resolved long ago. Only looked at: nobody waits for the open ones that are read on the way.
-- params: sync_name, reject_days, chunk_rows
-- result: id
SELECT id
FROM rejected_record
WHERE sync_name = %(sync_name)s AND resolved_at < NOW(6) - INTERVAL %(reject_days)s DAY
LIMIT %(chunk_rows)s
