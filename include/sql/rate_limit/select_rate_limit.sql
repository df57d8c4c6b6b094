-- The pacing row of a portal.
-- params: portal_id
SELECT interval_us, burst_us, window_limit, daily_limit, daily_remaining
FROM rate_limit
WHERE portal_id = %(portal_id)s
