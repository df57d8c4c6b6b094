-- The newest run that planned after the given epoch.
-- params: sync_name, portal_id, epoch
-- result: run_id
SELECT MAX(run_id) AS run_id
FROM sync_run
WHERE sync_name = %(sync_name)s AND portal_id = %(portal_id)s AND planned_at IS NOT NULL AND epoch > %(epoch)s
