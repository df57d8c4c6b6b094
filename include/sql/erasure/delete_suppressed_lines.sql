-- Take the lines of erased people out of the staged file, before anything is made of them. The hash is that of
-- `records.record_key`.
-- params: run_id, sync_name
DELETE s FROM {staging_table} s
INNER JOIN suppressed_key k
  ON k.sync_name = %(sync_name)s
  AND k.record_key = LEFT(UNHEX(SHA2(CONCAT(OCTET_LENGTH(s.key_text), ':', s.key_text, ';'), 256)), 16)
WHERE s.run_id = %(run_id)s
