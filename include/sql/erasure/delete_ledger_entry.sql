-- Forget what HubSpot holds of a person.
-- params: sync_name, record_key
DELETE FROM ledger WHERE sync_name = %(sync_name)s AND record_key = %(record_key)s
