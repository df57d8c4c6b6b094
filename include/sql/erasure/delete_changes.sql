-- Remove the changes of a person that are over. An open one stays behind without content: its batch counts its rows.
-- params: sync_name, record_key
DELETE o FROM outbox o
INNER JOIN sync_run r ON r.run_id = o.run_id
WHERE r.sync_name = %(sync_name)s AND o.record_key = %(record_key)s AND o.state NOT IN ('pending', 'in_flight')
