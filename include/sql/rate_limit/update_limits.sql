-- Adopt the limits that the portal's headers state.
-- params: portal_id, interval_us, burst_us, window_limit, daily_limit, daily_remaining
UPDATE rate_limit
SET
  interval_us = %(interval_us)s, burst_us = %(burst_us)s, window_limit = %(window_limit)s,
  daily_limit = COALESCE(%(daily_limit)s, daily_limit),
  daily_remaining = COALESCE(%(daily_remaining)s, daily_remaining), updated_at = NOW(6)
WHERE portal_id = %(portal_id)s
