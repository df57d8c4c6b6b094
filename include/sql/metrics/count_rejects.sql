-- Lines that are not loaded and records that HubSpot refuses at present, by reason.
-- result: sync_name, stage, reason, rejects
SELECT sync_name, stage, reason, COUNT(*) AS rejects
FROM rejected_record
WHERE released_at IS NULL AND resolved_at IS NULL
GROUP BY sync_name, stage, reason
ORDER BY rejects DESC, reason ASC
