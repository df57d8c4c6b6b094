-- The reasons for which records of a sync were ever rejected, the most frequent first; read from the index alone.
-- params: sync_name
-- index: rejected_record_reason (sync_name, released_at, reason)
SELECT reason, COUNT(*) AS rejects
FROM rejected_record
WHERE sync_name = %(sync_name)s
GROUP BY reason
ORDER BY rejects DESC, reason ASC
LIMIT 50
