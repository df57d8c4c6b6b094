-- What the portal's headers last said about the day.
-- params: portal_id
-- result: daily_limit, daily_remaining
SELECT
  daily_limit,
  daily_remaining
FROM rate_limit
WHERE portal_id = %(portal_id)s
