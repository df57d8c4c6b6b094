-- Count a request in its second.
-- params: portal_id
INSERT INTO request_second (portal_id, second_no, requests)
VALUES (%(portal_id)s, FLOOR(UNIX_TIMESTAMP(NOW(6))), 1)
ON DUPLICATE KEY UPDATE requests = requests + 1
