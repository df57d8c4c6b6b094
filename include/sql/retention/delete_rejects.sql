-- Remove rejected records that are still resolved: one that is refused again meanwhile stays.
-- params: ids, reject_days
-- index: rejected_record PK (id)
DELETE FROM rejected_record
WHERE id IN %(ids)s AND resolved_at < NOW(6) - INTERVAL %(reject_days)s DAY
