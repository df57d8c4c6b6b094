-- Records that HubSpot refuses at present.
-- params: sync_name
-- result: rejected
SELECT COUNT(DISTINCT record_key) AS rejected
FROM rejected_record
WHERE sync_name = %(sync_name)s AND stage = 'deliver' AND released_at IS NULL AND resolved_at IS NULL
