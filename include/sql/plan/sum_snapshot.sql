-- A checksum over every record of a snapshot that no order changes.
-- params: run_id
-- result: snapshot_sum
-- index: snapshot PK (run_id, record_key)
SELECT
  COALESCE(BIT_XOR(CAST(CONV(LEFT(SHA2(CONCAT(record_key, row_hash), 256), 16), 16, 10) AS UNSIGNED)), 0) AS snapshot_sum
FROM snapshot
WHERE run_id = %(run_id)s
