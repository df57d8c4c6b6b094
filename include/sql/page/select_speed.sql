-- How fast a run is at this moment, and how much of the portal's limit is in use by all runs together: of the last ten
-- whole seconds, the window of HubSpot's burst limit.
-- params: run_id
-- index: batch PK (run_id), rate_limit PK, request_second PK (portal_id, second_no)
SELECT
  l.window_limit, l.daily_limit, l.daily_remaining,
  (
    SELECT COALESCE(SUM(b.row_count), 0)
    FROM batch b
    WHERE b.run_id = r.run_id AND b.delivered_at > NOW(6) - INTERVAL 10 SECOND
  ) AS recent_rows,
  (
    SELECT COALESCE(SUM(s.requests), 0)
    FROM request_second s
    WHERE
      s.portal_id = r.portal_id AND s.second_no >= FLOOR(UNIX_TIMESTAMP(NOW(6))) - 10
      AND s.second_no < FLOOR(UNIX_TIMESTAMP(NOW(6)))
  ) AS recent_requests,
  TIMESTAMPDIFF(MICROSECOND, NOW(6), l.paused_until) / 1000000 AS pause_s
FROM sync_run r
LEFT JOIN rate_limit l ON l.portal_id = r.portal_id
WHERE r.run_id = %(run_id)s
