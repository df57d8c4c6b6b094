-- Build one hashed record per contact. Hashes are those of `records.record_key` and `records.row_hash`.
-- Records with a quarantined line are withheld: neither sent nor taken for removed.
-- params: run_id, sync_name and those of the definition's select
-- result: rows in snapshot
INSERT INTO snapshot (run_id, record_key, key_text, row_hash, properties, first_line, line_count)
SELECT
  %(run_id)s,
  k.record_key,
  k.key_text,
  UNHEX(SHA2(CONCAT({hash_parts}), 256)),
  JSON_OBJECT({json_parts}),
  k.first_line,
  k.line_count
FROM (
  SELECT
    LEFT(UNHEX(SHA2(CONCAT(OCTET_LENGTH(r.key_text), ':', r.key_text, ';'), 256)), 16) AS record_key,
    r.key_text,
    r.first_line,
    r.line_count,
    {value_parts}
  FROM (
    {record_select}
  ) r
) k
LEFT JOIN rejected_record q
  ON q.sync_name = %(sync_name)s AND q.record_key = k.record_key
  AND q.stage = 'validate' AND q.run_id = %(run_id)s
WHERE q.id IS NULL
