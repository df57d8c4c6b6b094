-- Whether anything is known about HubSpot at all.
-- params: sync_name
-- result: row_count
SELECT COUNT(*) AS row_count
FROM (SELECT 1 AS one FROM ledger WHERE sync_name = %(sync_name)s LIMIT 1) l
