-- The runs that last wrote a key whose state in HubSpot has to be read before anything is compared with it.
-- params: sync_name
-- result: run_id
SELECT DISTINCT run_id
FROM ledger
WHERE sync_name = %(sync_name)s AND (state = 'uncertain' OR (verified_at IS NULL AND is_waived = 0))
