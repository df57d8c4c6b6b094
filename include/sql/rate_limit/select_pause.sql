-- How long the gate stays closed, and what is left of the day.
-- params: portal_id
-- result: daily_limit, daily_remaining (NULL when the headers never said), pause_s
SELECT
  daily_limit,
  daily_remaining,
  GREATEST(0, COALESCE(TIMESTAMPDIFF(MICROSECOND, NOW(6), paused_until), 0)) / 1000000 AS pause_s
FROM rate_limit
WHERE portal_id = %(portal_id)s
