-- What HubSpot is known to hold of one record.
-- params: sync_name, record_key
-- index: ledger PK (sync_name, record_key)
SELECT key_text, state, hubspot_id, properties, run_id, source_version, confirmed_at, verified_at, is_waived
FROM ledger
WHERE sync_name = %(sync_name)s AND record_key = %(record_key)s
