-- The lock row, held until the end of the transaction; times compared with the database clock.
-- params: portal_id, sync_name, drain_s
-- result: holder, epoch, last_epoch, wait_s (until a taker may have it; 0 = now)
SELECT
  l.holder,
  l.epoch,
  l.last_epoch,
  GREATEST(
    COALESCE(TIMESTAMPDIFF(MICROSECOND, NOW(6), l.not_before) + 1, 0),
    IF(l.holder IS NULL, 0, COALESCE(TIMESTAMPDIFF(MICROSECOND, NOW(6), l.lease_until), 0)),
    COALESCE((
      SELECT TIMESTAMPDIFF(MICROSECOND, NOW(6), MAX(b.lease_until) + INTERVAL %(drain_s)s SECOND) + 1
      FROM batch b
      WHERE b.run_id = l.holder AND b.lease_until IS NOT NULL
    ), 0)
  ) / 1000000 AS wait_s
FROM run_lock l
WHERE l.portal_id = %(portal_id)s AND l.sync_name = %(sync_name)s
FOR UPDATE
