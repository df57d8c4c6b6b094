-- Reserve the next sending time for one request; assignments run from left to right, so the wait is taken first.
-- A caller that comes late may catch up by `burst_us`, never more.
-- params: portal_id
-- result: LAST_INSERT_ID() is the wait in microseconds
UPDATE rate_limit
SET
  last_wait_us = LAST_INSERT_ID(GREATEST(
    0,
    TIMESTAMPDIFF(MICROSECOND, NOW(6), next_send_at),
    COALESCE(TIMESTAMPDIFF(MICROSECOND, NOW(6), paused_until), 0)
  )),
  next_send_at = GREATEST(
    next_send_at, NOW(6) - INTERVAL burst_us MICROSECOND, COALESCE(paused_until, next_send_at)
  ) + INTERVAL interval_us MICROSECOND,
  updated_at = NOW(6)
WHERE portal_id = %(portal_id)s
