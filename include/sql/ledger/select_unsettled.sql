-- Keys whose state in HubSpot must be read before anything is compared with it, in key order.
-- params: sync_name, after_key, page_size
-- result: record_key, key_text
SELECT record_key, key_text
FROM ledger
WHERE
  sync_name = %(sync_name)s AND record_key > %(after_key)s
  AND (state = 'uncertain' OR (verified_at IS NULL AND is_waived = 0))
ORDER BY record_key
LIMIT %(page_size)s
