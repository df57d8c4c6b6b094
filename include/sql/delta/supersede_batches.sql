-- The batches of the superseded changes; their leases stay, so that what was sent still drains.
-- params: sync_name, portal_id, epoch
UPDATE batch b
INNER JOIN sync_run r ON r.run_id = b.run_id
SET b.state = 'superseded', b.fence = b.fence + 1, b.updated_at = NOW(6)
WHERE
  r.sync_name = %(sync_name)s AND r.portal_id = %(portal_id)s AND r.epoch <= %(epoch)s
  AND r.state <> 'done' AND b.state IN ('ready', 'leased')
