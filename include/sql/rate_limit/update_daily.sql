-- Keep what the headers say about the day.
-- params: portal_id, daily_limit, daily_remaining
UPDATE rate_limit
SET daily_limit = %(daily_limit)s, daily_remaining = %(daily_remaining)s, updated_at = NOW(6)
WHERE portal_id = %(portal_id)s
