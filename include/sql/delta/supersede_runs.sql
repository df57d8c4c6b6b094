-- Earlier runs that never finished have nothing left to do.
-- params: sync_name, portal_id, epoch
UPDATE sync_run
SET state = 'superseded', finished_at = COALESCE(finished_at, NOW(6))
WHERE
  sync_name = %(sync_name)s AND portal_id = %(portal_id)s AND epoch < %(epoch)s
  AND state NOT IN ('done', 'failed', 'superseded')
