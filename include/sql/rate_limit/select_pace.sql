-- How fast the portal is called at present.
-- params: portal_id
-- result: interval_us
SELECT interval_us
FROM rate_limit
WHERE portal_id = %(portal_id)s
