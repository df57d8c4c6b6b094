-- Make sure that the lock row exists.
-- params: portal_id, sync_name
INSERT INTO run_lock (portal_id, sync_name, epoch, last_epoch, updated_at)
VALUES (%(portal_id)s, %(sync_name)s, 0, 0, NOW(6))
ON DUPLICATE KEY UPDATE portal_id = VALUES(portal_id)
