-- How many refused records a replay with this choice would release. A choice that is NULL takes all.
-- params: sync_name, run_id, reason, record_key
-- index: rejected_record_reason (sync_name, released_at)
SELECT COUNT(*) AS rejects
FROM rejected_record
WHERE
  sync_name = %(sync_name)s AND stage = 'deliver' AND released_at IS NULL AND resolved_at IS NULL
  AND (%(run_id)s IS NULL OR run_id = %(run_id)s)
  AND (%(reason)s IS NULL OR reason = %(reason)s)
  AND (%(record_key)s IS NULL OR record_key = %(record_key)s)
