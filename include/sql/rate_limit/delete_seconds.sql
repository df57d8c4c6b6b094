-- Forget the seconds that nobody asks for any more.
-- params: portal_id, kept_s
DELETE FROM request_second
WHERE portal_id = %(portal_id)s AND second_no < FLOOR(UNIX_TIMESTAMP(NOW(6))) - %(kept_s)s
