-- Our own requests within the window that ended some time ago; of a second that lies in it in part, that part.
-- params: portal_id, window_s, age_s
-- result: requests
WITH t AS (
  SELECT UNIX_TIMESTAMP(NOW(6)) AS now_s, UNIX_TIMESTAMP(NOW(6)) - %(age_s)s AS window_end
)

SELECT
  COALESCE(SUM(
    s.requests * GREATEST(0, LEAST(s.second_no + 1, t.window_end) - GREATEST(s.second_no, t.window_end - %(window_s)s))
    / LEAST(1, t.now_s - s.second_no)
  ), 0) AS requests
FROM request_second s
CROSS JOIN t
WHERE
  s.portal_id = %(portal_id)s AND s.second_no < t.now_s
  AND s.second_no >= FLOOR(UNIX_TIMESTAMP(NOW(6))) - CEILING(%(window_s)s + %(age_s)s)
