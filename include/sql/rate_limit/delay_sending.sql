-- Leave out a sending time: the window is nearly full.
-- params: portal_id
UPDATE rate_limit
SET next_send_at = GREATEST(next_send_at, NOW(6)) + INTERVAL interval_us MICROSECOND, updated_at = NOW(6)
WHERE portal_id = %(portal_id)s
