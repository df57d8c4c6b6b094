-- Open changes of this run and of every earlier run of the sync are replaced by the plan that follows.
-- params: sync_name, portal_id, epoch
UPDATE outbox o
INNER JOIN sync_run r ON r.run_id = o.run_id
SET o.state = 'superseded', o.updated_at = NOW(6)
WHERE
  r.sync_name = %(sync_name)s AND r.portal_id = %(portal_id)s AND r.epoch <= %(epoch)s
  AND r.state <> 'done' AND o.state IN ('pending', 'in_flight')
