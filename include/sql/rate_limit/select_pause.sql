-- How long the gate stays closed.
-- params: portal_id
-- result: pause_s
SELECT GREATEST(0, COALESCE(TIMESTAMPDIFF(MICROSECOND, NOW(6), paused_until), 0)) / 1000000 AS pause_s
FROM rate_limit
WHERE portal_id = %(portal_id)s
