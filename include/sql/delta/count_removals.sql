-- How many active contacts there are, and how many of them are no longer in the source.
-- params: run_id, sync_name
-- result: active_count, removal_count
SELECT
  COUNT(*) AS active_count,
  COALESCE(SUM(s.record_key IS NULL AND w.id IS NULL), 0) AS removal_count
FROM ledger l
LEFT JOIN snapshot s ON s.run_id = %(run_id)s AND s.record_key = l.record_key
LEFT JOIN rejected_record w
  ON w.sync_name = %(sync_name)s AND w.record_key = l.record_key AND w.stage = 'validate' AND w.run_id = %(run_id)s
WHERE l.sync_name = %(sync_name)s AND l.state = 'active'
