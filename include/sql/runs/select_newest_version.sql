-- The highest source version that any run of this sync has planned.
-- params: sync_name, portal_id
-- result: source_version
SELECT MAX(source_version) AS source_version
FROM sync_run
WHERE sync_name = %(sync_name)s AND portal_id = %(portal_id)s AND planned_at IS NOT NULL AND state <> 'superseded'
