-- Work that an unchanged file would leave undone: plans after the accepted run, keys in doubt, released rejects.
-- params: sync_name, portal_id, accepted_epoch
-- result: unfinished_plans, unsettled_keys, released_rejects
SELECT
  (
    SELECT COUNT(*) FROM sync_run
    WHERE sync_name = %(sync_name)s AND portal_id = %(portal_id)s AND planned_at IS NOT NULL
      AND epoch > %(accepted_epoch)s AND is_accepted = 0
  ) AS unfinished_plans,
  (
    SELECT COUNT(*) FROM ledger
    WHERE sync_name = %(sync_name)s
      AND (state = 'uncertain' OR (verified_at IS NULL AND is_waived = 0))
  ) AS unsettled_keys,
  (
    SELECT COUNT(*) FROM rejected_record
    WHERE sync_name = %(sync_name)s AND stage = 'deliver' AND released_at IS NOT NULL AND resolved_at IS NULL
  ) AS released_rejects
