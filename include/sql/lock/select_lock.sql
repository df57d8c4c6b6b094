-- The lock row, held until the end of the transaction; times compared with the database clock. A run that ended well needs no
-- lock any more: if a late task joined once more, nobody has to wait for its lease.
-- params: portal_id, sync_name
-- result: holder, epoch, last_epoch, wait_s (until a taker may have it as far as the lock knows; 0 = now)
SELECT
  holder,
  epoch,
  last_epoch,
  GREATEST(
    COALESCE(TIMESTAMPDIFF(MICROSECOND, NOW(6), not_before) + 1, 0),
    IF(
      (SELECT r.state FROM sync_run r WHERE r.run_id = run_lock.holder) IN ('done', 'superseded'), 0,
      COALESCE(TIMESTAMPDIFF(MICROSECOND, NOW(6), lease_until), 0)
    )
  ) / 1000000 AS wait_s
FROM run_lock
WHERE portal_id = %(portal_id)s AND sync_name = %(sync_name)s
FOR UPDATE
