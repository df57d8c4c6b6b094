-- The records that HubSpot refused and a replay could try again, the latest first.
-- params: sync_name
-- index: rejected_record_reason (sync_name, released_at)
SELECT key_text
FROM rejected_record
WHERE sync_name = %(sync_name)s AND stage = 'deliver' AND released_at IS NULL AND resolved_at IS NULL
ORDER BY last_seen_at DESC, id DESC
LIMIT 10
