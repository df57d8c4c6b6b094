-- Close the gate for every worker of the portal.
-- params: portal_id, pause_us
UPDATE rate_limit
SET
  paused_until = GREATEST(COALESCE(paused_until, NOW(6)), NOW(6) + INTERVAL %(pause_us)s MICROSECOND),
  updated_at = NOW(6)
WHERE portal_id = %(portal_id)s
