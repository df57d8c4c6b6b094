-- How many active contacts there are, and to how many of them the source gives other values than HubSpot holds.
-- params: run_id, sync_name, hash_version
-- result: active_count, change_count
SELECT
  COUNT(*) AS active_count,
  COALESCE(SUM(l.hash_version = %(hash_version)s AND l.row_hash <> s.row_hash), 0) AS change_count
FROM ledger l
LEFT JOIN snapshot s ON s.run_id = %(run_id)s AND s.record_key = l.record_key
WHERE l.sync_name = %(sync_name)s AND l.state = 'active'
