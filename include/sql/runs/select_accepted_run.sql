-- The last fully delivered, unlimited run of a sync: the one whose plan is the latest, because a run may be cleared and find a
-- newer file after later runs found nothing to do. Those have no plan; what they found unchanged was so when they began.
-- The end of a run does not tell: clearing only its last task moves it.
-- params: sync_name, portal_id
SELECT
  run_id, dag_run_key, sync_name, portal_id, mode, state, epoch, mapping_hash, source_version, source_last_updated,
  source_sha256,
  manifest_key, is_unchanged, is_limited, source_rows, quarantined_lines, unreadable_key_lines,
  suppressed_lines, records, quarantined,
  plan_hash, planned, reason, reason_text
FROM sync_run
WHERE sync_name = %(sync_name)s AND portal_id = %(portal_id)s AND is_accepted = 1
ORDER BY COALESCE(planned_at, started_at) DESC, run_id DESC
LIMIT 1
