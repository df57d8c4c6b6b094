-- Make sure that the pacing row of a portal exists.
-- params: portal_id, interval_us, burst_us, window_limit
INSERT INTO rate_limit (portal_id, next_send_at, interval_us, burst_us, window_limit, updated_at)
VALUES (%(portal_id)s, NOW(6), %(interval_us)s, %(burst_us)s, %(window_limit)s, NOW(6))
ON DUPLICATE KEY UPDATE portal_id = VALUES(portal_id)
