-- The newest run of the same sync and portal that planned since a plan was made.
-- params: run_id
-- result: run_id
-- index: run_plan PK, sync_run PK and sync_run_sync (sync_name, run_id)
SELECT MAX(r.run_id) AS run_id
FROM run_plan p
INNER JOIN sync_run o ON o.run_id = p.run_id
INNER JOIN sync_run r ON r.sync_name = o.sync_name AND r.portal_id = o.portal_id
WHERE p.run_id = %(run_id)s AND r.planned_at > p.made_at
