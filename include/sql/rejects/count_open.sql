-- What a replay could try again: the reasons for which HubSpot refused records, and in which run last.
-- params: sync_name
-- index: rejected_record_reason (sync_name, released_at)
SELECT reason, run_id, COUNT(*) AS rejects
FROM rejected_record
WHERE sync_name = %(sync_name)s AND stage = 'deliver' AND released_at IS NULL AND resolved_at IS NULL
GROUP BY reason, run_id
ORDER BY rejects DESC, reason ASC, run_id DESC
LIMIT 50
