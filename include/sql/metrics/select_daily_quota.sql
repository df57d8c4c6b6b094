-- What the headers last said about the day of the portal to which the sync's latest run belongs.
-- result: sync_name, daily_limit, daily_used
SELECT r.sync_name, l.daily_limit, l.daily_limit - l.daily_remaining AS daily_used
FROM sync_run r
INNER JOIN rate_limit l ON l.portal_id = r.portal_id
WHERE
  r.run_id IN (SELECT MAX(t.run_id) FROM sync_run t GROUP BY t.sync_name)
  AND l.daily_limit IS NOT NULL AND l.daily_remaining IS NOT NULL
