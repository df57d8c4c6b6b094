-- The contacts of a person that earlier runs wrote to; the present one is asked of HubSpot.
-- params: sync_name, record_key
-- result: hubspot_id
SELECT hubspot_id FROM ledger
WHERE sync_name = %(sync_name)s AND record_key = %(record_key)s AND hubspot_id IS NOT NULL
UNION DISTINCT
SELECT o.hubspot_id FROM outbox o
INNER JOIN sync_run r ON r.run_id = o.run_id
WHERE r.sync_name = %(sync_name)s AND o.record_key = %(record_key)s AND o.hubspot_id IS NOT NULL
