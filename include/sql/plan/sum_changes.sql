-- The queued changes of a plan in one pass: how many, the first of each operation, and checksums that no order changes.
-- The lists of `first_…` are cut, here or by the server's group_concat_max_len: an aggregate without ORDER BY needs no sort.
-- params: run_id, first_batch_no
-- result: creates, updates, archives; first_create, first_update, first_archive (seq, with commas, at most 20);
--   changes_sum (key, operation and row hash of every change), previous_sum (key and what HubSpot held, but for creates)
-- index: outbox PK (run_id, seq)
SELECT
  COALESCE(SUM(operation = 'create'), 0) AS creates,
  COALESCE(SUM(operation = 'update'), 0) AS updates,
  COALESCE(SUM(operation = 'archive'), 0) AS archives,
  SUBSTRING_INDEX(GROUP_CONCAT(IF(operation = 'create', seq, NULL)), ',', 20) AS first_create,
  SUBSTRING_INDEX(GROUP_CONCAT(IF(operation = 'update', seq, NULL)), ',', 20) AS first_update,
  SUBSTRING_INDEX(GROUP_CONCAT(IF(operation = 'archive', seq, NULL)), ',', 20) AS first_archive,
  COALESCE(BIT_XOR(CAST(CONV(
    LEFT(SHA2(CONCAT(record_key, operation, COALESCE(row_hash, '')), 256), 16), 16, 10
  ) AS UNSIGNED)), 0) AS changes_sum,
  COALESCE(BIT_XOR(CAST(CONV(
    IF(operation = 'create', '0', LEFT(SHA2(CONCAT(record_key, COALESCE(previous_properties, '')), 256), 16)), 16, 10
  ) AS UNSIGNED)), 0) AS previous_sum
FROM outbox
WHERE run_id = %(run_id)s AND batch_no >= %(first_batch_no)s
